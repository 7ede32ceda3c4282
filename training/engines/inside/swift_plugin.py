"""The file that ms-swift loads (`--external_plugins`): it registers what the modules beside it define.

ms-swift puts this folder on its path, so no file in it may have the name of a package.
"""

from dtbench.training.engines.inside.megatron_watch import register_megatron_watch
from dtbench.training.engines.inside.swift_adapter import register_targets
from dtbench.training.engines.inside.swift_placeholders import register_placeholders
from dtbench.training.engines.inside.swift_rewards import register_rewards
from dtbench.training.engines.inside.swift_templates import register_template
from dtbench.training.engines.inside.swift_watch import register_watch

register_rewards()
register_targets()
register_placeholders()
register_template()
register_watch()
register_megatron_watch()
