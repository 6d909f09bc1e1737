"""This file is topics being written: new ones behind those there are, in the order of the file."""

from store import sql
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession
from store.text import fold_name


async def write_topics(write: ImportSession, told: ParsedCatalogue) -> None:
    """Write the topics; those that are there keep the order that administrators gave them."""
    ranks = await write.next_ranks(sql.topic.c.rank)
    wanted = {
        slug: DesiredRow(
            "topic",
            "top",
            {"name": line.name, "name_key": fold_name(line.name), "description": line.description},
            {"rank": next(ranks), **write.stamps},
        )
        for slug, line in told.topics.items()
    }
    held = await write.held(sql.topic, "slug", wanted)
    renamed = [row.pk for slug, row in held.items() if row.name_key != wanted[slug].columns["name_key"]]
    await write.free_names(sql.topic, renamed)
    await write.upsert(sql.topic, "slug", wanted)
