"""Reads inputs in hexadecimal, one a line, and prints what h11 sees in each: requests as JSON, then "error" or "ok"."""
import json
import sys

import h11


def read(data):
    requests = []
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                requests.append([event.method.decode(), event.target.decode("latin-1"), "", False])
            elif isinstance(event, h11.Data):
                requests[-1][2] += bytes(event.data).hex()
            elif isinstance(event, h11.EndOfMessage):
                requests[-1][3] = True
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return requests, "ok"
                connection.start_next_cycle()
            else:
                return requests, "ok"
    except h11.ProtocolError as error:
        return requests, f"error: {error}"


for line in open(sys.argv[1]):
    requests, verdict = read(bytes.fromhex(line.strip()))
    whole = [request[:3] for request in requests if request[3]]
    print(json.dumps({"requests": whole, "verdict": verdict}))
