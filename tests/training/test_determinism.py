"""What `make_deterministic` sets."""

import subprocess
import sys


def test_it_refuses_what_may_differ_without_importing_the_compiler() -> None:
    program = (
        "import sys, torch; from clearfilters.training.determinism import make_deterministic; "
        "make_deterministic(); assert torch.are_deterministic_algorithms_enabled(); "
        "assert not torch.is_deterministic_algorithms_warn_only_enabled(); "
        "sys.exit('torch._inductor' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
