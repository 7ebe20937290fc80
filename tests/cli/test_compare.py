"""`framewise compare`: what is printed of the server's answer."""

import io

from rich.console import Console

from cli.compare import print_comparison


def analysis(model):
    return {
        "settings": {
            "mlModel": {"name": model},
            "tracker": "BYTE_TRACK",
            "mode": "EXACT",
            "frameStride": 1,
            "minConfidence": 0.4,
        },
        "video": {"filename": "street.mp4"},
    }


def compared(**changes):
    labels = [
        {"label": "car", "detectionsA": 1000, "detectionsB": 500, "matched": 400, "tracksA": 3, "tracksB": 2},
        {"label": "dog", "detectionsA": 0, "detectionsB": 4, "matched": 0, "tracksA": 0, "tracksB": 1},
    ]
    return {
        "a": analysis("yolox-nano"),
        "b": analysis("nanodet-m-416"),
        "compareAnalyses": {
            "frames": 250,
            "detectionsA": 1000,
            "detectionsB": 504,
            "matched": 400,
            "agreement": 800 / 1504,
            "meanIou": 0.81234,
            "iouHistogram": [0, 0, 0, 0, 40, 0, 0, 0, 360, 40],
            "labels": labels,
            "matchedTrackCount": 1,
            "lostTrackCount": 30,
            "newTrackCount": 0,
            "lostTrackIds": list(range(1, 31)),
            "newTrackIds": [],
            **changes,
        },
    }


def printed(found):
    console = Console(file=io.StringIO(), width=100)
    print_comparison(found, console)
    return console.file.getvalue()


def test_both_are_named_and_their_detections_stand_beside_each_other():
    shown = printed(compared()).splitlines()
    assert "A: street.mp4, yolox-nano, BYTE_TRACK, EXACT, stride 1, confidence from 0.4" in shown
    assert "B: street.mp4, nanodet-m-416, BYTE_TRACK, EXACT, stride 1, confidence from 0.4" in shown
    lines = [line.split() for line in shown]
    assert ["car", "1,000", "500", "400", "40.0%", "80.0%", "3", "2"] in lines
    assert ["dog", "0", "4", "0", "0.0%", "0", "1"] in lines
    assert ["all", "1,000", "504", "400", "40.0%", "79.4%"] in lines


def test_agreement_tracks_and_overlaps_are_told():
    shown = printed(compared())
    assert "250 frames that both looked at" in shown
    assert "Agreement (F1 of the detections): 53.2%, mean IoU of what both found: 0.812" in shown
    assert "Tracks: 1 in both, 30 only in A, 0 only in B" in shown
    assert "only in A: 1, 2, 3" in shown
    assert "20, …" in shown
    assert "only in B" not in shown.replace("0 only in B", "")
    assert "0.8 to 0.9       360 " + "█" * 40 in shown


def test_where_nothing_was_found_there_is_little_to_say():
    nothing = dict.fromkeys(("detectionsA", "detectionsB", "matched", "lostTrackCount"), 0)
    shown = printed(
        compared(**nothing, labels=[], meanIou=None, iouHistogram=[0] * 10, agreement=1.0, frames=1)
    )
    assert "1 frame that both" in shown
    assert "Agreement (F1 of the detections): 100.0%\n" in shown
    assert "IoU" not in shown
