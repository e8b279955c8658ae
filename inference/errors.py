"""What can go wrong, as one tree.

Every message here is written for the person who caused the error: it says what happened, where, and
what to do. Whatever helps a developer (a traceback, a file's path) goes to the log, never in here.

    InferenceError
    ├── RequestError        a request asks for something that makes no sense      -> HTTP 400
    ├── NotFound            no such video, model or run                           -> HTTP 404
    ├── Conflict            what is asked for cannot be done at the moment        -> HTTP 409
    │   └── JournalError    a recording is of something else, or damaged          -> HTTP 409
    ├── NotLoggedIn         a request needs the token, and has not got it         -> HTTP 401
    ├── CrossSite           a page of another site asks, and is not let in        -> HTTP 403
    ├── WrongHost           a request is meant for a host that this is not        -> HTTP 421
    ├── TooLarge            an upload, or what is sent, is larger than is taken   -> HTTP 413
    ├── NotStored           the disk does not take what is sent                   -> HTTP 507
    ├── TooManyStreams      as many streams are open as are served                -> HTTP 503
    ├── PortInUse           a port that was asked for is taken                    -> exit status 2
    ├── VideoError          a video cannot be opened or read on                   -> ends the run
    ├── ModelError          a model cannot be loaded, or is not what is needed    -> ends the run, HTTP 400
    ├── FrameError          one input cannot be predicted                         -> a failure in its place
    ├── WireError           bytes on a socket are no message of ours              -> dropped and counted
    └── PipelineError       the pipeline itself cannot go on                      -> ends the run
"""


class InferenceError(Exception):
    """Base of every error whose text may be shown to a user."""


class RequestError(InferenceError):
    """A request has a missing, malformed or impossible parameter."""


class NotFound(InferenceError):
    """A video, a model or a run of that name is not in its folder."""


class Conflict(InferenceError):
    """What is asked for cannot be done as things are, such as deleting a run that goes on."""


class JournalError(Conflict):
    """A recording cannot be continued by this run, or cannot be read."""


class JournalInUse(JournalError):
    """Another program has a recording open."""


class NotLoggedIn(InferenceError):
    """A request has neither the token nor the cookie of a login."""


class CrossSite(InferenceError):
    """A request comes from another site's page, which the command line does not allow."""


class WrongHost(InferenceError):
    """A request names a host that this program is not served under."""


class TooLarge(InferenceError):
    """An upload, or the body of any other request, is larger than this program takes."""


class NotStored(InferenceError):
    """What is sent cannot be written: a disk is full, or a folder is not to be written to."""


class TooManyStreams(InferenceError):
    """As many streams are open as this program serves."""


class PortInUse(InferenceError):
    """A port given on the command line is taken by another program."""


class VideoError(InferenceError):
    """A video cannot be opened, or cannot be read any further."""


class ModelError(InferenceError):
    """A model file cannot be loaded, or does not give what this program needs."""


class FrameError(InferenceError):
    """One input cannot be predicted: the frames around a frame can, a text is over."""


class WireError(InferenceError):
    """A message from a socket does not follow the wire format."""


class PipelineError(InferenceError):
    """The pipeline itself cannot go on (workers do not start, the producer is gone)."""
