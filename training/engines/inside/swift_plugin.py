"""What ms-swift loads (`--external_plugins`). It puts this folder on its path: no file may be named as a package is."""

from dtbench.training.engines.inside import swift_rewards, swift_templates, swift_watch

swift_rewards.register()
swift_templates.register()
swift_watch.register()
