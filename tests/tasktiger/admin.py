"""tasktiger-admin on the site's Redis, on a free port, which it tells when it is ready."""

import json

from flask import Flask
from flask_admin import Admin
from peer import tiger
from tasktiger_admin import TaskTigerView, tasktiger_admin
from werkzeug.serving import make_server

if __name__ == "__main__":
    app = Flask(__name__)
    # Where the pages' templates are.
    app.register_blueprint(tasktiger_admin)
    Admin(app, url="/").add_view(TaskTigerView(tiger, name="TaskTiger", endpoint="tasktiger"))
    server = make_server("127.0.0.1", 0, app)
    print(json.dumps({"event": "ready", "port": server.server_port}), flush=True)
    server.serve_forever()
