"""Several commands of dtbench in one process, which loads what is heavy once: JSON lists of arguments on stdin."""

from __future__ import annotations

import json
import sys

from command import call

print(json.dumps([call(*arguments) for arguments in json.load(sys.stdin)]))
