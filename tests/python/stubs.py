"""Makes the client's stubs from the protos of the repository, as anybody outside would."""
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "proto"


def generate(folder):
    """Writes the stubs into a folder and makes them importable as `fallow.v1.…_pb2` and `…_pb2_grpc`."""
    standard = Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(path) for path in (PROTOS / "fallow" / "v1").glob("*.proto"))
    assert files, f"no protos under {PROTOS}"
    status = protoc.main([
        "protoc", f"-I{PROTOS}", f"-I{standard}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files,
    ])
    assert status == 0, "the protos do not compile with protoc"
    sys.path.insert(0, str(folder))
