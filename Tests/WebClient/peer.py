"""A server that the web client is tested against, by somebody else than us: Python's http.server.

peer.py [--tls CERTIFICATE KEY [CLIENT_AUTHORITY]] [--unix PATH]; prints its port, or the path, and serves until killed.
"""
import argparse
import json
import socketserver
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        Handler.connections += 1
        self.number = Handler.connections

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("transfer-encoding") == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body=b"", fields=(), chunked=False):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("x-connection", str(self.number))
        if not chunked:
            self.send_header("content-length", str(len(body)))
        else:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if not chunked and self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def serve(self):
        path, _, query = self.path.partition("?")
        if path == "/echo":
            body = self.body()
            self.answer(200, json.dumps({
                "method": self.command, "query": query, "body": body.decode("latin-1"),
                "fields": {name.lower(): value for name, value in self.headers.items()},
            }).encode(), [("content-type", "application/json"), ("X-Two", "a"), ("X-Two", "b")])
        elif path == "/count":
            self.answer(200, str(len(self.body())).encode())
        elif path == "/stream":
            self.answer(200, chunked=True)
            for _ in range(int(query)):
                self.chunk(b"x" * 65536)
            self.chunk(b"")
        elif path == "/lines":
            self.answer(200, chunked=True)
            self.chunk(b"first\n")
            # The second line comes when the client has asked for it on standard input.
            sys.stdin.readline()
            self.chunk(b"second\n")
            self.chunk(b"")
        elif path == "/never":
            print("waiting", flush=True)
            sys.stdin.readline()
        elif path == "/cut":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif path == "/noise":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
        elif path == "/redirect":
            count = int(query or 1)
            self.answer(302, b"moved", [("location", f"/redirect?{count - 1}" if count > 1 else "/echo")])
        elif path == "/early":
            self.answer(413, b"no")
            self.close_connection = True
        else:
            self.answer(int(path[1:]) if path[1:].isdigit() else 404, b"" if path == "/204" else b"status")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = serve


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("unix", 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs="+")
    parser.add_argument("--unix")
    options = parser.parse_args()
    server = UnixServer(options.unix, Handler) if options.unix else ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls[:2])
        if len(options.tls) > 2:
            context.load_verify_locations(options.tls[2])
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(options.unix or server.server_address[1], flush=True)
    server.serve_forever()


main()
