"""Serve the WSGI application of one API: `serve.py MODULE PORT`."""

import importlib
import sys

module, port = sys.argv[1:]
del sys.argv[1:]  # the APIs read their configuration from what is left there
application = importlib.import_module(module).application
importlib.import_module("waitress").serve(application, listen=f"127.0.0.1:{port}", threads=8)
