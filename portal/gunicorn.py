"""How the web processes run: ``gunicorn -c python:portal.gunicorn portal.wsgi``.

Threads wait for Globus at a tenth of what processes cost (performance.md section 7).
The application is loaded once and forked, so a bad setting ends the whole server with
one sentence, and the SDK's lazy imports are paid for before the first request.
"""

from typing import Any

from portal import env

worker_class = "gthread"
workers = env.env_int("PORTAL_WEB_PROCESSES", 2)
threads = env.web_threads()
preload_app = True
keepalive = 65  # seconds; longer than a proxy in front keeps its side
# A path of 4,096 bytes may take three times as much in an address; what is too long
# gets a page of ours (portal.middleware) and not the server's bare answer.
limit_request_line = 0
timeout = 60  # seconds without a sign of life of a whole process
graceful_timeout = 20
# A page of another site must not fill the log with codes: no query strings.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms'
accesslog = "-" if env.env_bool("PORTAL_ACCESS_LOG", default=True) else None


def on_starting(server: Any) -> None:
    from portal.startup import django_or_exit, services_or_exit

    django_or_exit()
    services_or_exit()
