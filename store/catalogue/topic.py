"""Import of topics: new topics come after existing ones, in the order of the file."""

from store import sql
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession
from store.text import fold_name


async def write_topics(session: ImportSession, catalogue: ParsedCatalogue) -> None:
    """Write the topics. Existing topics keep their order, which administrators may have arranged."""
    ranks = await session.next_ranks(sql.topic.c.rank)
    desired = {
        slug: DesiredRow(
            "topic",
            "top",
            {"name": line.name, "name_key": fold_name(line.name), "description": line.description},
            {"rank": next(ranks), **session.initial_stamps},
        )
        for slug, line in catalogue.topics.items()
    }
    existing = await session.load_rows(sql.topic, "slug", desired)
    renamed = [row.pk for slug, row in existing.items() if row.name_key != desired[slug].columns["name_key"]]
    await session.release_names(sql.topic, renamed)
    await session.upsert_and_log(sql.topic, "slug", desired)
