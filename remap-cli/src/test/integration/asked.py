"""Asks a running service over its control socket, and prints what an expression makes of the answer.

    asked.py NAME METHOD EXPRESSION [PARAMETERS]

The answer is d in the expression; the parameters are a JSON object. The socket is the one that `remap` itself asks (JSON-RPC,
one object a line). A service that does not answer, or refuses, is exit status 1 and a line on stderr.
"""

import json
import os
import socket
import sys

ANSWER_SECONDS = 30


def answer(name, method, parameters):
    """The result of one call."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(os.path.join(os.environ["XDG_RUNTIME_DIR"], "remap", name + ".control"))
        with connection.makefile("rwb") as lines:
            request = {"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1}
            lines.write(json.dumps(request).encode() + b"\n")
            lines.flush()
            said = json.loads(lines.readline() or b'{"error": {"message": "hung up"}}')
    if "error" in said:
        raise OSError(said["error"]["message"])
    return said["result"]


def main():
    name, method, expression = sys.argv[1:4]
    parameters = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    try:
        print(eval(expression, {"d": answer(name, method, parameters)}))
    except OSError as error:
        sys.exit("%s of %s: %s" % (method, name, error))


main()
