"""The adapter of the suite for clients: see packages/client-suite/README.md."""

from __future__ import annotations

import json
import os
import sys
import zlib
from typing import Any, Callable, Dict, Optional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src"))

import dmabuf

Order = Dict[str, Any]


class Adapter:
    def __init__(self) -> None:
        self.viewer: Optional[dmabuf.Viewer] = None
        self.contributor: Optional[dmabuf.Contributor] = None
        self.frame: Optional[dmabuf.Frame] = None
        self.blank: Optional[dmabuf.Loan] = None

    def hello(self, order: Order) -> Order:
        return {"client": f"dmabuf {dmabuf.__version__}", "roles": ["viewer", "contributor"], "pid": os.getpid()}

    def view(self, order: Order) -> Order:
        options = {name: order[name] for name in ("policy", "group", "name", "users") if name in order}
        self.viewer = dmabuf.view(order["where"], timeout=order["timeout"] / 1000, **options)
        return {"name": self.viewer.name, "format": _format(self.viewer.format), "policy": self.viewer.policy}

    def next(self, order: Order) -> Order:
        frame = _there(self.viewer).next(order["timeout"] / 1000)
        self.frame = frame
        if frame is None:
            return {"frame": None}
        taken = {
            "sequence": frame.sequence,
            "timestamp": frame.timestamp,
            "publishedAt": frame.published_at,
            "length": frame.length,
            "crc": zlib.crc32(frame.bytes),
            "data": frame.data,
            "picture": None if frame.picture is None else _picture(frame.picture),
        }
        return {"frame": taken}

    def look(self, order: Order) -> Order:
        frame = _there(self.frame)
        plane = order.get("plane")
        return {"crc": zlib.crc32(frame.bytes if plane is None else frame.planes[plane].bytes)}

    def done(self, order: Order) -> Order:
        _there(self.frame).close()
        self.frame = None
        return {}

    def contribute(self, order: Order) -> Order:
        options = {name: order[name] for name in ("name", "users") if name in order}
        one = self.contributor = dmabuf.contribute(order["where"], timeout=order["timeout"] / 1000, **options)
        return {"name": one.name, "format": _format(one.format), "dataBytes": one.data_bytes}

    def loan(self, order: Order) -> Order:
        self.blank = _there(self.contributor).loan(order["timeout"] / 1000)
        return {"blank": self.blank is not None}

    def fill(self, order: Order) -> Order:
        view = _there(self.blank).bytes
        view[:] = bytes((order["seed"] + i + i // 256) % 256 for i in range(view.nbytes))
        return {"crc": zlib.crc32(view)}

    def publish(self, order: Order) -> Order:
        options = {name: order[name] for name in ("timestamp", "data", "length") if name in order}
        picture = _picture_from(order["picture"]) if "picture" in order else None
        return {"sequence": _there(self.blank).publish(picture=picture, timeout=order["timeout"] / 1000, **options)}

    def drop(self, order: Order) -> Order:
        _there(self.blank).close()
        self.blank = None
        return {}

    def end(self, order: Order) -> Order:
        _there(self.contributor).end()
        return {}

    def fail(self, order: Order) -> Order:
        failure = order["failure"]
        _there(self.contributor).fail(failure["code"], failure["message"])
        return {}

    def close(self, order: Order) -> Order:
        for thing in (self.frame, self.blank, self.viewer, self.contributor):
            if thing is not None:
                thing.close()
        self.frame = self.blank = self.viewer = self.contributor = None
        return {}


def _there(thing: Any) -> Any:
    if thing is None:
        raise dmabuf.DmaBufError("EBADF", "Cannot do it: there is nothing to do it with")
    return thing


def _format(form: dmabuf.FrameFormat) -> Order:
    planes = [
        {
            "offset": plane.offset,
            "stride": plane.stride,
            "width": plane.width,
            "height": plane.height,
            "bytesPerSample": plane.bytes_per_sample,
        }
        for plane in form.planes
    ]
    fields: Order = {"kind": form.kind, "size": form.size, "planes": planes, "pixelFormat": form.pixel_format}
    for name in ("width", "height", "shape", "type", "channels", "rate", "samples", "layout"):
        fields[name] = getattr(form, name)
    return {name: value for name, value in fields.items() if value is not None}


def _words(value: Any, names: Dict[str, str]) -> Order:
    found = {word: getattr(value, name) for word, name in names.items()}
    return {word: None if said == dmabuf.UNKNOWN else said for word, said in found.items() if said is not None}


_PICTURE = {
    "duration": "duration",
    "displayWidth": "display_width",
    "displayHeight": "display_height",
    "rotation": "rotation",
    "flip": "flip",
}
_RECT = {name: name for name in ("x", "y", "width", "height")}
_SPACE = {"primaries": "primaries", "transfer": "transfer", "matrix": "matrix", "fullRange": "full_range"}


def _picture(picture: dmabuf.Picture) -> Order:
    fields = _words(picture, _PICTURE)
    if picture.visible_rect is not None:
        fields["visibleRect"] = _words(picture.visible_rect, _RECT)
    if picture.color_space is not None:
        fields["colorSpace"] = _words(picture.color_space, _SPACE)
    return fields


def _picture_from(fields: Order) -> dmabuf.Picture:
    rect, space = fields.get("visibleRect"), fields.get("colorSpace")
    return dmabuf.Picture(
        visible_rect=None if rect is None else dmabuf.VisibleRect(**rect),
        color_space=None
        if space is None
        else dmabuf.ColorSpace(
            **{_SPACE[word]: dmabuf.UNKNOWN if value is None else value for word, value in space.items()}
        ),
        **{_PICTURE[word]: value for word, value in fields.items() if word in _PICTURE},
    )


def _answer(adapter: Adapter, order: Order) -> Order:
    name = order["do"]
    does: Optional[Callable[[Order], Order]] = getattr(adapter, name, None) if name.isalpha() else None
    try:
        if does is None:
            raise dmabuf.DmaBufError("ENOSYS", f'Cannot do "{name}"')
        return {"ok": True, **does(order)}
    except dmabuf.DmaBufError as error:
        return {"error": {"code": error.code, "message": str(error)}}
    except (TypeError, ValueError) as error:
        return {"error": {"code": "EINVAL", "message": str(error) or type(error).__name__}}


def main() -> None:
    adapter = Adapter()
    for line in sys.stdin:
        print(json.dumps(_answer(adapter, json.loads(line))), flush=True)
    adapter.close({})


if __name__ == "__main__":
    main()
