"""Downloads one file of a PyPI package with pip's own configuration (index, mirror, proxy, certificates) and unpacks
what is wanted of it. Arguments: name, version, sha256 ("" = what the index says), folder, anchor, prefixes ("a/,b/").

The anchor is a path inside the archive; what stands before it is cut from every name. Only names that begin with one
of the prefixes after the cut are unpacked, into FOLDER/whole. Standard output: one JSON object a line, for tidegate.

`pip download` is only the second choice: for a source archive it runs the package's setup.py to learn its metadata,
which needs a working setuptools, and it says nothing while 200 MB come in. pip's internals have kept these names
since 20.0; where one is missing, `pip download` is used after all.
"""
import errno, glob, hashlib, json, logging, os, subprocess, sys, tarfile, time, zipfile


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def fail(kind, message):
    say(error=kind, message=message)
    sys.exit(1)


class Refusals(logging.Handler):
    """pip only logs why an index could not be read, and goes on with an empty list."""

    def __init__(self):
        logging.Handler.__init__(self)
        self.last = ""

    def emit(self, record):
        text = record.getMessage()
        if "ould not fetch URL" in text:
            self.last = text.replace(" - skipping", "")


def reach_pip():
    """pip itself, or the wheel of it that Python or Debian carry for `ensurepip`."""
    try:
        import pip
        return
    except ImportError:
        pass
    places = ["/usr/share/python-wheels/pip-*.whl"]
    try:
        import ensurepip
        places.insert(0, os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
    except ImportError:
        pass
    for place in places:
        for wheel in sorted(glob.glob(place), reverse=True):
            sys.path.insert(0, wheel)
            os.environ["PYTHONPATH"] = wheel
            try:
                import pip
                return
            except ImportError:
                sys.path.pop(0)
    fail("no_pip", "%s (Python %s) has no pip" % (sys.executable, sys.version.split()[0]))


def download(name, version, folder):
    """The path of the downloaded file and the sha256 that the index gives for it."""
    try:
        from pip._internal.commands.download import DownloadCommand
        command = DownloadCommand("download", "")
        options, _ = command.parse_args(["--no-deps", "--no-cache-dir", "--no-input", name])
        with command.main_context():
            session = command.get_default_session(options)
            finder = command._build_package_finder(options, session, ignore_requires_python=True)
            refusals = Refusals()
            logging.getLogger("pip").addHandler(refusals)
            logging.getLogger("pip").setLevel(logging.DEBUG)
            candidates = finder.find_all_candidates(name)
            fitting = [each for each in candidates if str(each.version) == version]
            if not candidates:
                fail("network", refusals.last or "the package index lists no version of %s" % name)
            if not fitting:
                fail("not_found", "the package index has no %s %s for this machine" % (name, version))
            link = sorted(fitting, key=lambda each: each.link.filename.endswith(".whl"))[-1].link
            path = os.path.join(folder, link.filename)
            digest = link.hash if link.hash_name == "sha256" else ""
            address = link.url.split("#")[0]
            if address.startswith("file:"):
                return link.file_path, digest
            stream(session, address, path)
            return path, digest
    except (ImportError, AttributeError, TypeError) as error:
        say(note="this pip works differently inside (%s), asking `pip download`" % error)
    return by_command(name, version, folder), ""


def stream(session, address, path):
    total = done = 0
    for attempt in range(4):
        headers = {"Accept-Encoding": "identity"}
        if done:
            headers["Range"] = "bytes=%d-" % done
        try:
            answer = session.get(address, headers=headers, stream=True)
            if answer.status_code >= 400:
                fail("network", "the download of %s was answered with HTTP %d" % (os.path.basename(path), answer.status_code))
            if answer.status_code != 206:
                done = 0
                total = int(answer.headers.get("Content-Length") or 0)
            said = 0.0
            with open(path, "ab" if done else "wb") as file:
                while True:
                    block = answer.raw.read(1 << 18, decode_content=False)
                    if not block:
                        break
                    file.write(block)
                    done += len(block)
                    if time.time() - said > 0.2:
                        said = time.time()
                        say(done=done, total=total)
            if not total or done >= total:
                say(done=done, total=total or done)
                return
            why = "the connection ended after %d of %d bytes" % (done, total)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            why = str(error)
        except Exception as error:
            if "urllib3" not in type(error).__module__:
                raise
            why = str(error)
        say(note="the download broke off: %s" % why)
        time.sleep(attempt)
    fail("network", why)


def by_command(name, version, folder):
    base = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--dest", folder]
    wanted = "%s==%s" % (name, version)
    kinds = ["--only-binary=:all:"], ["--no-binary=:all:"], ["--no-binary=:all:", "--no-build-isolation"]
    for kind in kinds:
        if subprocess.call(base + kind + [wanted], stdout=sys.stderr) == 0:
            for found in os.listdir(folder):
                if found.endswith((".whl", ".tar.gz")):
                    return os.path.join(folder, found)
    fail("network", "`pip download %s` failed" % wanted)


def check(path, wanted):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if wanted and digest.hexdigest() != wanted:
        fail("hash", "%s has the sha256 %s, expected was %s" % (os.path.basename(path), digest.hexdigest(), wanted))
    return digest.hexdigest()


def unpack(path, whole, anchor, prefixes):
    if path.endswith(".whl"):
        archive = zipfile.ZipFile(path)
        entries = [(each.filename, each.file_size, each.external_attr >> 16, each) for each in archive.infolist()]
        reader = archive.open
    else:
        archive = tarfile.open(path)
        entries = [(each.name, each.size, each.mode, each) for each in archive if each.isfile()]
        reader = archive.extractfile
    roots = [entry[0].split(anchor)[0] for entry in entries if anchor in entry[0]]
    if not roots:
        fail("content", "%s holds no %s" % (os.path.basename(path), anchor))
    root = min(roots, key=len)
    for name, size, mode, entry in entries:
        inner = name[len(root):]
        if not name.startswith(root) or name.endswith("/") or not inner.startswith(prefixes) or ".." in inner.split("/"):
            continue
        target = os.path.join(whole, inner)
        if not os.path.isdir(os.path.dirname(target)):
            os.makedirs(os.path.dirname(target))
        source = reader(entry)
        with open(target, "wb") as file:
            for block in iter(lambda: source.read(1 << 20), b""):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(target, 0o755 if mode & 0o100 else 0o644)
        if os.path.getsize(target) != size:
            fail("content", "%s was unpacked to a wrong size" % inner)
        # Whoever asked may be gone: the closed pipe then ends this process too.
        say(unpacked=inner)


def main(name, version, sha256, folder, anchor, prefixes):
    reach_pip()
    path, listed = download(name, version, folder)
    digest = check(path, sha256 or listed)
    say(unpacking=os.path.basename(path))
    unpack(path, os.path.join(folder, "whole"), anchor, tuple(prefixes.split(",")))
    say(file=os.path.basename(path), sha256=digest)


try:
    main(*sys.argv[1:])
except OSError as error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        fail("disk", "the disk of %s is full" % sys.argv[4])
    fail("network" if "pip" in type(error).__module__ else "io", str(error))
except Exception as error:
    fail("other", "%s: %s" % (type(error).__name__, error))
