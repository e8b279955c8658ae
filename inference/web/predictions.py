"""`GET /generate_predictions`: the stream of a video's predictions."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from inference.catalog import Catalog
from inference.frame_events import event_of
from inference.messages import Tracked
from inference.pipeline import Pipeline
from inference.query import StreamQuery, parse_query
from inference.recordings import Recordings
from inference.requests import VideoRequest
from inference.watching import Watch
from inference.web.streams import Streams


def add_predictions(
    app: Flask, catalog: Catalog, pipeline: Pipeline, recordings: Recordings, streams: Streams
) -> None:
    """The route."""

    @app.get("/generate_predictions")
    def generate_predictions() -> Response:
        query = parse_query(request.args.to_dict(flat=False), request.headers.get("Last-Event-ID"))

        def watch() -> Watch:
            return Watch(
                pipeline,
                _request(catalog, query),
                recordings=recordings,
                run_id=query.run_id,
                tracking=query.tracking,
                track=query.track,
            )

        return streams.respond(watch, event_of, query.heartbeat, _is_live)


def _is_live(event: Any) -> bool:
    """Each frame of a live source is to be new when it is written."""
    return isinstance(event, Tracked) and event.live is not None


def _request(catalog: Catalog, query: StreamQuery) -> VideoRequest:
    return VideoRequest(
        catalog.video(query.video_name),
        catalog.model(*query.model_names),
        query.start,
        query.stop,
        query.width,
        query.options,
        catalog.model(*query.compare_names) if query.compare_names else None,
    )
