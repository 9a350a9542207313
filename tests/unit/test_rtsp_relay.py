"""What an RTSP camera may tell FFmpeg."""

from __future__ import annotations

import pytest

from app.services.streams.rtsp_relay import RefusedRtsp, RtspAnswers

DESCRIBE = (
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Base: rtsp://10.0.0.9/live/\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: 6\r\n\r\nv=0\r\no"
)
RTP = b"$\x00\x00\x0cLocation: xy"
PLAY = b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nSession: 77\r\n\r\n"


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
def test_messages_and_pictures_pass_in_any_pieces(size: int) -> None:
    answers, sent = RtspAnswers(), DESCRIBE + PLAY + RTP * 3 + PLAY + RTP
    got = b"".join(answers.feed(sent[at : at + size]) for at in range(0, len(sent), size))
    assert got == sent
    assert answers.last_status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"RTSP/1.0 302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0 301\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0 399 odd\r\n\r\n",
        RTP + b"RTSP/1.0 302 Moved\nlocation:rtsp://10.0.0.1/\n\n",
        b"REDIRECT rtsp://10.0.0.9/live RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
    ],
)
def test_a_redirect_is_refused(answer: bytes) -> None:
    with pytest.raises(RefusedRtsp) as refused:
        RtspAnswers().feed(answer)
    assert refused.value.is_redirect


@pytest.mark.parametrize(
    "answer",
    [
        b"RTSP/1.0  302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0\t302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"R\rTSP/1.0 302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"rtsp/1.0 302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"HTTP/1.1 302 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nLoc\ration: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n Location: rtsp://10.0.0.1/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_plain_rtsp_is_refused(answer: bytes) -> None:
    with pytest.raises(RefusedRtsp):
        RtspAnswers().feed(answer)


def test_no_location_reaches_ffmpeg() -> None:
    got = RtspAnswers().feed(b"RTSP/1.0 200 OK\nLOCATION: rtsp://10.0.0.1/\nlocation : x\nCSeq: 1\n\n")
    assert got == b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
