"""Reading HTTP/2 header blocks (HPACK, RFC 7541); writing them needs no table and is in `wire`."""

from __future__ import annotations

__all__ = ["HeaderReader"]

# Appendix A: the static table, one entry a word, `name=value` where there is a value.
_STATIC = (
    ":authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https "
    ":status=200 :status=204 :status=206 :status=304 :status=400 :status=404 :status=500 "
    "accept-charset accept-encoding=gzip,_deflate accept-language accept-ranges accept "
    "access-control-allow-origin age allow authorization cache-control content-disposition "
    "content-encoding content-language content-length content-location content-range "
    "content-type cookie date etag expect expires from host if-match if-modified-since "
    "if-none-match if-range if-unmodified-since last-modified link location max-forwards "
    "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
# Appendix B: the lengths of the Huffman codes of bytes 0 to 255 and of the end mark, as letters
# from A for 5 bits. The code is canonical, so the lengths say everything.
_LENGTHS = (
    "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHF"
    "IBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIX"
    "PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRS"
    "VVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWV"
    "Z"
)
_SHORTEST = 5
_TABLE_SIZE = 4096
# What an entry costs beside its text.
_OVERHEAD = 32

_Pair = tuple[str, str]


class HeaderReader:
    """Decodes the header blocks of one connection, in order."""

    def __init__(self) -> None:
        self._static = [_split_entry(word) for word in _STATIC.split()]
        self._dynamic: list[_Pair] = []
        self._limit = _TABLE_SIZE
        self._codes: dict[tuple[int, int], int] = {}

    def read(self, block: bytes) -> list[_Pair]:
        """Decode one block."""
        pairs: list[_Pair] = []
        position = 0
        while position < len(block):
            first = block[position]
            if first & 0x80:
                index, position = _read_integer(block, position, 7)
                pairs.append(self._look_up(index))
            elif first & 0xE0 == 0x20:  # noqa: PLR2004  a new size of the table
                self._limit, position = _read_integer(block, position, 5)
                self._trim()
            else:
                is_kept = bool(first & 0x40)
                pair, position = self._read_literal(block, position, 6 if is_kept else 4)
                pairs.append(pair)
                if is_kept:
                    self._dynamic.insert(0, pair)
                    self._trim()
        return pairs

    def _look_up(self, index: int) -> _Pair:
        if index <= len(self._static):
            return self._static[index - 1]
        return self._dynamic[index - len(self._static) - 1]

    def _read_literal(self, block: bytes, position: int, bits: int) -> tuple[_Pair, int]:
        index, position = _read_integer(block, position, bits)
        if index:
            name = self._look_up(index)[0]
        else:
            name, position = self._read_text(block, position)
        value, position = self._read_text(block, position)
        return (name, value), position

    def _read_text(self, block: bytes, position: int) -> tuple[str, int]:
        is_packed = bool(block[position] & 0x80)
        size, position = _read_integer(block, position, 7)
        raw = block[position : position + size]
        return (self._unpack(raw) if is_packed else raw.decode("latin-1")), position + size

    def _unpack(self, raw: bytes) -> str:
        if not self._codes:
            self._codes = _make_codes()
        text: list[str] = []
        code = length = 0
        for byte in raw:
            for shift in range(7, -1, -1):
                code, length = code << 1 | byte >> shift & 1, length + 1
                symbol = self._codes.get((length, code))
                if symbol is not None:
                    text.append(chr(symbol))
                    code = length = 0
        return "".join(text)

    def _trim(self) -> None:
        size = sum(len(name) + len(value) + _OVERHEAD for name, value in self._dynamic)
        while size > self._limit:
            name, value = self._dynamic.pop()
            size -= len(name) + len(value) + _OVERHEAD


def _split_entry(word: str) -> _Pair:
    name, _, value = word.partition("=")
    return name, value.replace("_", " ")


def _read_integer(block: bytes, position: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value = block[position] & limit
    position += 1
    if value < limit:
        return value, position
    shift = 0
    while True:
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7


def _make_codes() -> dict[tuple[int, int], int]:
    lengths = [ord(letter) - ord("A") + _SHORTEST for letter in _LENGTHS]
    codes: dict[tuple[int, int], int] = {}
    code, previous = 0, _SHORTEST
    for symbol in sorted(range(len(lengths)), key=lambda item: (lengths[item], item)):
        code <<= lengths[symbol] - previous
        previous = lengths[symbol]
        codes[previous, code] = symbol
        code += 1
    return codes
