"""An identity provider of OpenID Connect, as far as a client meets it that has a refresh token."""

import base64
import json
import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

ENDED = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "RS256"}, {"exp": 1}, {"signed": "by nobody"})
)
"""An ID token that was good long ago."""


class IdentityProvider:
    """Gives an ID token, and another refresh token, for each refresh token, which it takes once."""

    def __init__(self, id_token, refresh_token):
        self._id_token = id_token
        self._good = refresh_token
        self.asked = []
        """The addresses that were asked, in order."""
        self.taken = []
        """The refresh tokens that came."""

    @contextmanager
    def serving(self, authority):
        """Serve with a certificate of this authority's."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        with HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self})) as server:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            self.url = f"https://127.0.0.1:{server.server_port}"
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            yield self
            server.shutdown()
            thread.join()

    def answer(self, path, form):
        """Give the status and what is said."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "token_endpoint": f"{self.url}/token"}
        [came] = form["refresh_token"]
        self.taken.append(came)
        if came != self._good:
            return 400, {"error": "invalid_grant"}
        self._good += "-next"
        said = {"access_token": "unused", "token_type": "Bearer", "id_token": self._id_token}
        return 200, {**said, "refresh_token": self._good}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        said = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        status, answer = self.provider.answer(self.path, parse_qs(said))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # the standard library's name

    def log_message(self, *_):
        pass
