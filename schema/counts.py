"""Counts of assets by kind."""

import strawberry

from schema.field import field


@strawberry.type(description="Numbers of distinct assets. Only what the viewer may see is counted.")
class AssetCounts:
    """Numbers of distinct assets."""

    total: int = field("Number of assets of every kind.")
    capsules: int = field("Number of capsules.")
    pipelines: int = field("Number of pipelines.")
    no_code_apps: int = field("Number of no-code apps.")
    data_assets: int = field("Number of data assets.")
    models: int = field("Number of models.")
    gold_standards: int = field("Number of assets of any kind that are a gold standard.")
