"""A mail server (aiosmtpd) on a port that the kernel gives. It prints the port, then each message as a line of JSON.

Arguments: a certificate and a key for STARTTLS, or nothing. It asks for no password, and takes "me" with "secret".
"""
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        if address.startswith("later@"):
            return "450 busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("spam@"):
            return "554 not wanted"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "subject": message["subject"],
                    "sender": message["from"],
                    "id": message["message-id"],
                    "date": message["date"].datetime.isoformat(),
                    "headers": message.keys(),
                    "text": message.get_content(),
                    "tls": session.ssl is not None,
                    "user": session.auth_data.decode() if session.auth_data else None,
                }
            ),
            flush=True,
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"me" and data.password == b"secret"
    return AuthResult(success=good, auth_data=data.login) if good else AuthResult(success=False, handled=False)


async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])

    def connection():
        return SMTP(
            Handler(), hostname="peer", tls_context=context, authenticator=authenticate,
            auth_require_tls=context is not None)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
