"""The local services that visitors want to reach. They run in processes of their own: nobody is charged for them."""

import os

import machine
from processes import Processes


class Services:
    """Started for one measurement, so that what broke one does not break the next."""

    def __init__(self, place, load):
        self.processes = Processes(place)
        self.load = load

    def start(self, name):
        """The port of `iperf`, `web` (a page of 1 KiB) or `local` (load serve)."""
        port = machine.free_port()
        getattr(self, f"_{name}")(port)
        self.processes.await_listening(port)
        return port

    def _iperf(self, port):
        self.processes.start("iperf3", ["iperf3", "-s", "-B", "127.0.0.1", "-p", port])

    def _local(self, port):
        self.processes.start("service", [self.load, "serve", port])

    def _web(self, port):
        place = self.processes.place
        place.chmod(0o755)
        (place / "page").write_bytes(b"x" * 1024)
        config = place / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        config.write_text(f"""daemon off; pid {place}/nginx.pid; error_log stderr; worker_processes 1; {user}
worker_rlimit_nofile 10000;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;
  client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
  uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5; open_file_cache max=10;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {place}; }} }}
""")
        self.processes.start("nginx", ["nginx", "-e", "stderr", "-p", place, "-c", config])
