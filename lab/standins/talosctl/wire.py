"""gRPC over HTTP/2 over TLS, blocking, one call at a time: all that a command line needs.

RFC 9113 with windows opened wide at the start, so that answers need no flow control; requests
wait for the server's window. Written instead of using a library for start-up time alone.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterable, Iterator

from lab.standins.talosctl.failure import CODES, RpcError, unavailable
from lab.standins.talosctl.hpack import HeaderReader
from lab.standins.talosctl.tls import Credentials, describe_alert, open_socket

__all__ = ["Connection"]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_INITIAL_WINDOW_SETTING = 4
_DEFAULT_WINDOW = 65535
_LARGEST_WINDOW = (1 << 31) - 1
_FRAME_LIMIT = 16384
_RESETS = {7: "Unavailable", 8: "Canceled"}  # REFUSED_STREAM, CANCEL


class Connection:
    """One HTTP/2 connection to a machine.

    Attributes:
        peer: The address that answered.
    """

    def __init__(self, host: str, port: int, credentials: Credentials) -> None:
        self.peer = host
        self._authority = f"{host}:{port}"
        self._socket = open_socket(host, port, credentials)
        self._headers = HeaderReader()
        self._buffer = b""
        self._block = b""
        self._next_stream = 1
        self._window = _DEFAULT_WINDOW
        self._stream_window = _DEFAULT_WINDOW
        self._initial_window = _DEFAULT_WINDOW
        self._greet()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(
        self, path: str, metadata: Iterable[tuple[str, str]], requests: Iterable[bytes]
    ) -> Iterator[bytes]:
        """Send the requests, then yield each reply message.

        Raises:
            RpcError: The status at the end is not OK, or the connection broke.
        """
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._stream_window = self._initial_window
        try:
            self._send_headers(stream, _encode_headers(self._head(path, metadata)))
            for request in requests:
                self._send_data(stream, b"\0" + struct.pack(">I", len(request)) + request)
            self._send(_DATA, _END_STREAM, stream, b"")
        except OSError as error:
            raise _broken(error) from error
        return self._receive(stream)

    def _head(self, path: str, metadata: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", self._authority),
            ("content-type", "application/grpc"),
            ("user-agent", "grpc-go/1.80.0"),
            ("te", "trailers"),
            *metadata,
        ]

    def _greet(self) -> None:
        settings = struct.pack(">HI", _INITIAL_WINDOW_SETTING, _LARGEST_WINDOW)
        more = struct.pack(">I", _LARGEST_WINDOW - _DEFAULT_WINDOW)
        try:
            self._socket.sendall(
                _PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW, 0, 0, more)
            )
            kind, flags, _, payload = self._read_frame()
        except ssl.SSLError as error:
            self.close()
            reason = describe_alert(error) if "ALERT" in (error.reason or "") else "EOF"
            raise unavailable(f"error reading server preface: {reason}") from error
        except EOFError as error:
            self.close()
            raise unavailable("error reading server preface: EOF") from error
        except OSError as error:
            self.close()
            text = (error.strerror or "EOF").lower()
            raise unavailable(f"error reading server preface: read: {text}") from error
        if kind != _SETTINGS:
            self.close()
            raise unavailable("error reading server preface: http2: frame too large")
        self._control(kind, flags, 0, payload)

    def _receive(self, stream: int) -> Iterator[bytes]:
        headers: dict[str, str] = {}
        pending, is_over = b"", False
        while not is_over:
            try:
                kind, flags, ident, payload = self._read_frame()
                headers |= self._take_headers(kind, flags, payload, is_ours=ident == stream)
                if ident != stream or kind not in {_HEADERS, _DATA, _RST}:
                    self._control(kind, flags, ident, payload)
                    continue
            except (OSError, EOFError) as error:
                raise _broken(error) from error
            if kind == _RST:
                raise _reset(payload)
            is_over = bool(flags & _END_STREAM)
            if kind == _DATA:
                pending += _strip(kind, flags, payload)
                while len(pending) >= 5 + _size(pending):
                    end = 5 + _size(pending)
                    message, pending = pending[5:end], pending[end:]
                    yield message
        _check_status(headers)

    def _take_headers(
        self, kind: int, flags: int, payload: bytes, *, is_ours: bool
    ) -> dict[str, str]:
        """Decode a header block, those of an abandoned call too: the table must follow all."""
        if kind not in {_HEADERS, _CONTINUATION}:
            return {}
        block = self._block + _strip(kind, flags, payload)
        if not flags & _END_HEADERS:
            self._block = block
            return {}
        self._block = b""
        pairs = dict(self._headers.read(block))
        return pairs if is_ours else {}

    def _send_data(self, stream: int, data: bytes) -> None:
        while data:
            room = min(self._window, self._stream_window, _FRAME_LIMIT)
            if room <= 0:
                try:
                    self._control(*self._read_frame())
                except EOFError as error:
                    raise ConnectionResetError from error
                continue
            chunk, data = data[:room], data[room:]
            self._window -= len(chunk)
            self._stream_window -= len(chunk)
            self._send(_DATA, 0, stream, chunk)

    def _control(self, kind: int, flags: int, ident: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            for offset in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, offset)
                if name == _INITIAL_WINDOW_SETTING:
                    self._stream_window += value - self._initial_window
                    self._initial_window = value
            self._send(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._send(_PING, _ACK, 0, payload)
        elif kind == _WINDOW:
            (more,) = struct.unpack(">I", payload)
            if ident:
                self._stream_window += more
            else:
                self._window += more

    def _send_headers(self, stream: int, block: bytes) -> None:
        """Send a header block; a thousand nodes take more than one frame."""
        kind = _HEADERS
        while True:
            part, block = block[:_FRAME_LIMIT], block[_FRAME_LIMIT:]
            self._send(kind, 0 if block else _END_HEADERS, stream, part)
            if not block:
                return
            kind = _CONTINUATION

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._socket.sendall(_frame(kind, flags, stream, payload))

    def _read_frame(self) -> tuple[int, int, int, bytes]:
        head = self._read_exactly(9)
        size = int.from_bytes(head[:3], "big")
        ident = int.from_bytes(head[5:], "big") & _LARGEST_WINDOW
        return head[3], head[4], ident, self._read_exactly(size)

    def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            more = self._socket.recv(65536)
            if not more:
                raise EOFError
            self._buffer += more
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _size(pending: bytes) -> int:
    # A prefix that is not here yet counts as a message that cannot be complete.
    return int.from_bytes(pending[1:5], "big") if len(pending) >= 5 else _LARGEST_WINDOW  # noqa: PLR2004  the prefix


def _strip(kind: int, flags: int, payload: bytes) -> bytes:
    if kind == _CONTINUATION:
        return payload
    if flags & _PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if kind == _HEADERS and flags & _PRIORITY else payload


def _encode_headers(pairs: list[tuple[str, str]]) -> bytes:
    # HPACK's literal form without indexing and without Huffman: always allowed, nothing to keep.
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in pairs)


def _text(value: str) -> bytes:
    raw = value.encode()
    size = len(raw)
    if size < 127:  # noqa: PLR2004  what fits in seven bits
        return bytes([size]) + raw
    head, size = bytearray([127]), size - 127
    while size >= 128:  # noqa: PLR2004  seven bits a byte
        head.append(size % 128 + 128)
        size //= 128
    return bytes(head) + bytes([size]) + raw


def _check_status(headers: dict[str, str]) -> None:
    status = headers.get("grpc-status")
    if status is None:
        code = headers.get(":status", "")
        raise RpcError("Unknown", f"unexpected HTTP status code received from server: {code}")
    if status != "0":
        index = int(status)
        name = CODES[index] if index < len(CODES) else f"Code({status})"
        from urllib.parse import unquote  # noqa: PLC0415  only failures have a message

        raise RpcError(name, unquote(headers.get("grpc-message", "")))


def _reset(payload: bytes) -> RpcError:
    (code,) = struct.unpack(">I", payload)
    name = _RESETS.get(code, "Internal")
    return RpcError(name, f"stream terminated by RST_STREAM with error code: {code}")


def _broken(error: Exception) -> RpcError:
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return RpcError("Unavailable", "error reading from server: read: connection reset by peer")
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return RpcError("Unavailable", f"error reading from server: {describe_alert(error)}")
    return RpcError("Unavailable", "error reading from server: EOF")
