"""`python -m tests.payments.doubles.local_stripe PORT`: localstripe, on loopback only.

By itself it listens everywhere and keeps its store in one file for all who run it.
"""

import sys

from aiohttp import web
from localstripe.resources import store
from localstripe.server import app

type(store).dump_to_disk = lambda _: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
