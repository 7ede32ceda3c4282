"""What ms-swift loads (`--external_plugins`), so a file of its own, and short: see the modules that it registers.

ms-swift puts this folder on its path: no file in it may be named as a package is.
"""

from dtbench.training.engines.inside.megatron_watch import register_megatron_watch
from dtbench.training.engines.inside.swift_adapter import register_targets
from dtbench.training.engines.inside.swift_rewards import register_rewards
from dtbench.training.engines.inside.swift_templates import register_template
from dtbench.training.engines.inside.swift_watch import register_watch

register_rewards()
register_targets()
register_template()
register_watch()
register_megatron_watch()
