"""Reads a cache with huggingface_hub: python_reads.py CACHE REPO COMMIT FILE..."""

import hashlib
import pathlib
import sys

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download

cache, repo, commit, *files = sys.argv[1:]

snapshot = pathlib.Path(snapshot_download(repo, cache_dir=cache, local_files_only=True))
assert snapshot.name == commit, snapshot

for file in files:
    path = pathlib.Path(hf_hub_download(repo, file, cache_dir=cache, local_files_only=True))
    assert path == snapshot / file, path
    name, data = path.resolve().name, path.read_bytes()
    if len(name) == 64:
        assert hashlib.sha256(data).hexdigest() == name, file
    else:
        assert hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == name, file

info = scan_cache_dir(cache)
assert not info.warnings, info.warnings
(found,) = info.repos
assert found.repo_id == repo and found.repo_type == "model", found
(revision,) = found.revisions
assert revision.commit_hash == commit and revision.refs == {"main"}, revision
seen = sorted(str(file.file_path.relative_to(snapshot)) for file in revision.files)
assert seen == sorted(files), seen
print(f"{len(files)} files, {found.size_on_disk} bytes")
