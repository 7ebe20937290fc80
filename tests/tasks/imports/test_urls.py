"""URLs and addresses that nothing may be fetched from."""

from ipaddress import ip_address

import pytest

from tasks.imports.addresses import AddressPolicy, is_public, parse_networks
from tasks.imports.errors import AddressRefusedError
from tasks.imports.filenames import sent_filename
from tasks.imports.urls import parse_url

PUBLIC = AddressPolicy()


def refused(text: str) -> bool:
    """Whether nothing would be connected to, without a name being looked up."""
    try:
        url = parse_url(text)
    except AddressRefusedError:
        return True
    return url.literal is not None and not PUBLIC.permits(url.literal)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "clip.mp4",
        "//example.com/clip.mp4",
        "ftp://example.com/clip.mp4",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:video/mp4;base64,AAAA",
        "javascript:alert(1)",
        "HTTPS:example.com",
        "http:///clip.mp4",
        "http://",
        "http://?",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://public.example@127.0.0.1/",
        "http://127.0.0.1#@public.example/",
        "http://public.example\\@127.0.0.1/",
        "http://public.example /",
        "http://public.example/\r\nHost: internal",
        "http://public.example/\t",
        " http://public.example/",
        "http://public.example:22/",
        "http://public.example:25/",
        "http://public.example:0/",
        "http://public.example:65536/",
        "http://public.example:8o/",
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0X7F.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.0x1/",
        "http://0x/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://999.1.1.1/",
        "http://8.8.8.8.8/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://100.64.0.1/",
        "http://100.100.100.200/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.0.0.1/",
        "http://198.18.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fec0::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
        "http://[100::1]/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://[v1.fe]/",
        "http://exa mple.com/",
        "http://-example.com/",
        "http://exam..ple.com/",
        "http://%31%32%37.0.0.1/",
        "http://local%68ost/",
        f"http://{'a' * 64}.com/",
        f"http://example.com/{'a' * 5000}",
    ],
)
def test_hostile_urls_are_refused(url):
    assert refused(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("http://example.com", "example.com", 80, b"/"),
        ("https://example.com/a b".replace(" ", "%20"), "example.com", 443, b"/a%20b"),
        ("HTTPS://EXAMPLE.com.:8443/x?y=1&z=%2F#part", "example.com", 8443, b"/x?y=1&z=%2F"),
        ("https://bücher.example/ü.mp4", "xn--bcher-kva.example", 443, b"/%C3%BC.mp4"),
        ("http://8.8.8.8/", "8.8.8.8", 80, b"/"),
        ("http://[2606:4700::1111]:8080/", "2606:4700::1111", 8080, b"/"),
        ("http://my_bucket.s3.example/", "my_bucket.s3.example", 80, b"/"),
        ("http://example.com?x", "example.com", 80, b"/?x"),
        ("http://example.com//evil.example/x", "example.com", 80, b"//evil.example/x"),
    ],
)
def test_good_urls_are_taken_apart(url, host, port, target):
    parsed = parse_url(url)
    assert (parsed.host, parsed.port, parsed.target) == (host, port, target)
    assert not refused(url)


@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        ("/other", "example.com", b"/other"),
        ("other?x=1", "example.com", b"/folder/other?x=1"),
        ("//elsewhere.example/x", "elsewhere.example", b"/x"),
        ("https://elsewhere.example/ü", "elsewhere.example", b"/%C3%BC"),
    ],
)
def test_redirects_are_joined(location, host, target):
    joined = parse_url("http://example.com/folder/clip.mp4").joined(location)
    assert (joined.host, joined.target) == (host, target)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://user@x.example/", "http://[::1", "ftp://x/"]
)
def test_redirects_are_checked(location):
    with pytest.raises(AddressRefusedError):
        parse_url("http://example.com/").joined(location)


def test_an_operator_may_allow_networks():
    policy = AddressPolicy(parse_networks("192.168.1.0/24, fd00::/8,127.0.0.1"))
    allowed = ("192.168.1.7", "fd00::1", "127.0.0.1", "8.8.8.8")
    refused_still = ("192.168.2.7", "127.0.0.2", "::1", "::ffff:192.168.1.7", "169.254.169.254")
    assert all(policy.permits(ip_address(one)) for one in allowed)
    assert not any(policy.permits(ip_address(one)) for one in refused_still)


def test_a_translator_that_is_allowed_does_not_lead_to_private_addresses():
    policy = AddressPolicy(parse_networks("64:ff9b::/96"))
    assert policy.permits(ip_address("64:ff9b::808:808"))
    assert not policy.permits(ip_address("64:ff9b::7f00:1"))
    assert not AddressPolicy().permits(ip_address("64:ff9b::808:808"))


def test_what_python_knows_not_to_be_global_is_not_public():
    borders = {f"{first}.{second}.0.1" for first in range(256) for second in (0, 16, 64, 100, 168, 254)}
    borders |= {f"{word:x}::1" for word in range(0, 0x10000, 0x101)}
    wrong = [one for one in borders if is_public(ip_address(one)) and not ip_address(one).is_global]
    assert wrong == []


@pytest.mark.parametrize(
    ("sent", "url", "name"),
    [
        (None, "https://example.com/films/my%20clip.mp4?x=/y.avi", "my clip.mp4"),
        (None, "https://example.com/", "example.com"),
        (None, "https://example.com/%2e%2e", "example.com"),
        (None, "https://example.com/a%2F..%2F..%2Fetc%2Fpasswd", "passwd"),
        ('attachment; filename="from the server.mov"', "https://example.com/x", "from the server.mov"),
        ("attachment; filename*=UTF-8''%e2%82%ac.mp4", "https://example.com/x", "€.mp4"),
        ('attachment; filename="../../etc/passwd"', "https://example.com/x", "passwd"),
        ('attachment; filename="C:\\\\films\\\\a.mp4"', "https://example.com/x", "a.mp4"),
        ('attachment; filename="a\x00\u202eb.mp4"', "https://example.com/x", "ab.mp4"),
        ("attachment", "https://example.com/x.mp4", "x.mp4"),
        ("attachment; filename=", "https://example.com/x.mp4", "x.mp4"),
        ("attachment; filename*=no-such-charset''%ff", "https://example.com/x.mp4", None),
        (";" * 5000, "https://example.com/x.mp4", "x.mp4"),
    ],
)
def test_files_get_safe_names(sent, url, name):
    given = sent_filename(sent, parse_url(url))
    assert given
    assert "/" not in given
    assert len(given.encode()) <= 255
    assert name is None or given == name
