"""The server's TLS identity: a self-signed certificate that is made at the first start."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.files import replaced_file

if TYPE_CHECKING:
    from cryptography import x509

_DAYS = 825


def server_context(folder: Path, names: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A TLS 1.2 context with the certificate `server.pem` of `folder`, made where it is missing.

    The file holds key and certificate, readable by its owner only. `names` are further names or
    addresses that a new certificate is for. TLS 1.2 is the newest that TDS 7.4 can carry inside
    of its packets. Raises BikecastError where the folder cannot be written.
    """
    path = folder / "server.pem"
    if not path.exists():
        with replaced_file(path) as temporary:
            temporary.chmod(0o600)
            temporary.write_bytes(_new_identity(("localhost", "127.0.0.1", *names)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


def _new_identity(names: tuple[str, ...]) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
