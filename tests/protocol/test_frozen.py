import hashlib
from importlib import resources

import pytest

from sevenepochs.protocol.certificate import scoring_sha256

WHEN = """
protocol/{} changed. Every published certificate carries the hash of these four files: it says that two results were
scored by the same code. It is right to update the hash here only when the change is meant to change what is measured
(or is a bug fix of it): then say so in docs/log with the figures before and after, and score the published runs
again. To reformat or rename is not a reason: put the file back.
"""
FROZEN = {
    "budget.py": "c908a0f2c0e516a44a51a879e3c906487baeb74cc417b1093d1fb38dd689067b",
    "rows.py": "7d69acfa07f30e6345e660e9be872b6422338ff551cd1c3fe0727bd58a15c5b7",
    "scoring.py": "e5167e742230632e18068d4d4164b2738d79946a11bdcdc82a5f4bce615fdaca",
    "figures.py": "f6cce34975b93ebf7d82db21ce979d6d16b2e3660a4062bf7d2b5d8cbf8c55f6",
}


@pytest.mark.parametrize("name", FROZEN)
def test_the_files_that_compute_the_figures_are_frozen(name):
    source = resources.files("sevenepochs.protocol").joinpath(name).read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(source).hexdigest() == FROZEN[name], WHEN.format(name)


def test_the_certificates_hash_covers_all_four():
    assert scoring_sha256() == "b42203a81095820dbd7dc12a8270c447bf7d3b7d08d028789f1fe4cd82d87200"
