"""The codecs written for start-up time agree with the libraries that they replace."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.machines.protos import machine_pb2, state_pb2
from lab.standins.talosctl.hpack import HeaderReader
from lab.standins.talosctl.messages import METHODS
from lab.standins.talosctl.proto import child, children, decode, encode, number, text, texts

_NAMES = st.sampled_from(["content-type", ":status", "grpc-status", "grpc-message", "x-lab"])
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


@given(blocks=st.lists(st.lists(st.tuples(_NAMES, _VALUES), max_size=6), max_size=6))
def test_header_blocks_read_as_hpack_wrote_them(blocks: list[list[tuple[str, str]]]) -> None:
    """A reader follows the table of a connection over all its blocks."""
    encoder, reader = hpack.Encoder(), HeaderReader()
    read = [reader.read(encoder.encode(block)) for block in blocks]

    assert blocks == read


@given(
    ident=st.integers(0, 2**64 - 1),
    hostname=st.text(max_size=20),
    urls=st.lists(st.text(max_size=20), max_size=3),
)
def test_a_message_of_protobuf_is_read(ident: int, hostname: str, urls: list[str]) -> None:
    """Field numbers and types are those of the machines' own messages."""
    member = machine_pb2.EtcdMember(id=ident, hostname=hostname, peer_urls=urls)
    reply = machine_pb2.EtcdMemberListResponse(
        messages=[machine_pb2.EtcdMembers(metadata={"hostname": "cp-1"}, members=[member])]
    )
    message = children(
        decode(reply.SerializeToString(), METHODS["EtcdMemberList"].reply), "messages"
    )[0]
    found = children(message, "members")[0]

    assert "cp-1" == text(child(message, "metadata"), "hostname")
    assert (ident, hostname, urls) == (
        number(found, "id"),
        text(found, "hostname"),
        texts(found, "peer_urls"),
    )


@pytest.mark.parametrize("tail", [-1, 0, 7])
def test_a_request_is_read_by_protobuf(tail: int) -> None:
    """Negative numbers keep their sign on the wire."""
    raw = encode({"tail_events": tail, "tail_id": "x"}, METHODS["Events"].request)
    request = machine_pb2.EventsRequest.FromString(raw)

    assert (tail, "x") == (request.tail_events, request.tail_id)


def test_an_empty_message_is_sent() -> None:
    """Its presence says something: an empty TryModeTimeout is not a missing one."""
    raw = encode({"id": "a", "options": {}}, METHODS["Watch"].request)
    request = state_pb2.WatchRequest.FromString(raw)

    assert request.HasField("options")
