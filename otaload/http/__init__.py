"""The lean HTTP/1.1 client, and the Locust user on it."""

from otaload.http.causes import RequestError
from otaload.http.client import HttpClient
from otaload.http.head import Headers
from otaload.http.pool import ConnectGuard
from otaload.http.proxy import ProxyNotSupportedError
from otaload.http.response import Response, Timings
from otaload.http.schedule import Lag, absolute_pacing, process_lag, take_process_lag
from otaload.http.user import LeanHttpUser

__all__ = [
    "ConnectGuard",
    "Headers",
    "HttpClient",
    "Lag",
    "LeanHttpUser",
    "ProxyNotSupportedError",
    "RequestError",
    "Response",
    "Timings",
    "absolute_pacing",
    "process_lag",
    "take_process_lag",
]
