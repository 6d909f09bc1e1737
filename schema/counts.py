"""Counts of assets by kind."""

import strawberry

from schema.field import field


@strawberry.type(description="Counts of distinct assets by kind. Only assets visible to the viewer are counted.")
class AssetCounts:
    """Counts of distinct assets by kind."""

    total: int = field("The number of assets of all kinds.")
    capsules: int = field("The number of capsules.")
    pipelines: int = field("The number of pipelines.")
    no_code_apps: int = field("The number of no-code apps.")
    data_assets: int = field("The number of data assets.")
    models: int = field("The number of models.")
    gold_standards: int = field("The number of assets of all kinds that are gold standards.")
