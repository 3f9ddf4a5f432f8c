"""What answers at the address of Tomcat's manager and is none: run inside a host,
`fake_manager.py PORT`; the first part of the path says how it answers."""

import contextlib
import http.server
import sys
import time

ANSWERS = {
    "page": (200, "text/html", "<html><body>Welcome to the router</body></html>"),
    "fail": (200, "text/plain", "FAIL - Failed to reload TLS configuration\n"),
    "half": (200, "text/plain", "OK"),
    "empty": (200, "text/plain", ""),
    "missing": (404, "text/html", "<html>no such page</html>"),
    "broken": (500, "text/html", "<html><b>Message</b> keystore &lt;x&gt; was tampered with"),
    "elsewhere": (302, "text/html", ""),
    "endless": (200, "text/plain", "OK " + "x" * (8 << 20)),
    "escape": (200, "text/plain", "FAIL - \033[31mred\r\nSecond: line\n"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = self.path.split("/")[1]
        if kind == "hang":
            time.sleep(60)
        if kind == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nOK - and")
            return
        status, content_type, text = ANSWERS.get(kind, ANSWERS["missing"])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:8080/manager/text/sslReload")
        self.end_headers()
        with contextlib.suppress(OSError):      # who has heard enough
            self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
