"""A certificate authority and a certificate for localhost, made once for each folder."""

from servers.install import checked

EXTENSIONS = """subjectAltName = DNS:localhost, DNS:mail.example.org, IP:127.0.0.1
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
"""
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
TEN_YEARS = ["-days", "3650"]


def files(plan):
    """Certificate and key of the servers."""
    return plan.dir / "tls" / "server.pem", plan.dir / "tls" / "server.key"


def ensure(plan):
    certificate, key = files(plan)
    if certificate.exists():
        return
    folder = certificate.parent
    folder.mkdir(parents=True, exist_ok=True)
    authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    checked(["openssl", "req", "-x509", *CURVE, *TEN_YEARS, *authority, "-subj", "/CN=Fehmarn test authority",
             "-keyout", str(folder / "ca.key"), "-out", str(plan.ca)])  # fmt: skip
    request, extensions, partial = folder / "server.csr", folder / "server.ext", folder / "server.part"
    checked(["openssl", "req", *CURVE, "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(request)])
    extensions.write_text(EXTENSIONS)
    checked(["openssl", "x509", "-req", "-in", str(request), "-CA", str(plan.ca), "-CAkey", str(folder / "ca.key"),
             "-CAcreateserial", *TEN_YEARS, "-extfile", str(extensions), "-out", str(partial)])  # fmt: skip
    key.chmod(0o600)
    partial.rename(certificate)
    request.unlink()
    extensions.unlink()
