"""Queries for the comparison of answers from memory with those of graphql-core."""

ASSET = """__typename ... on AssetFields { id name kind status tags owner { name } updatedAt viewerAccess url }
    ... on Model { source framework } ... on DataAsset { source }"""
PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
NO_ID = "0" * 24

QUERIES = {
    "fields of rows": "{ topics { nodes { slug id name description version createdAt updatedAt } } }",
    "aliases": """{ a: topics { b: nodes { c: slug d: name e: slug } n: totalCount } f: collections { nodes {
        x: id } } }""",
    "fields in other orders": "{ collections { nodes { name slug } } b: collections { nodes { slug name } } }",
    "a list first": "{ topics { nodes { collections { nodes { slug } } slug name } } }",
    "a list in the middle": "{ topics { nodes { slug collections { nodes { slug } } name } } }",
    "a list last": "{ topics { nodes { slug name collections { nodes { slug } } } } }",
    "nothing but lists": """{ topics { nodes { collections { totalCount } b: collections(first: 1) { totalCount
        } } } }""",
    "several lists": """{ topics { nodes { a: collections { totalCount } slug b: collections(first: 1) { nodes
        { slug } }
        name id c: collections(filter: {topLevelOnly: true}) { nodes { slug children { nodes { slug children {
        nodes { name } } } } } } } } }""",
    "members": f"{{ collections {{ nodes {{ slug assets(first: 3) {{ totalCount nodes {{ {ASSET} }} }} name }} }} }}",
    "counts": """{ collections { nodes { assetCounts { total t: total } name other: assetCounts { models goldStandards
        __typename } } } }""",
    "all assets of a type": """{ collection(by: {slug: "open"}) { assets { nodes { ... on Model { name
        framework } } } } }""",
    "objects by id": f"""{{ a: node(id: "<align>") {{ id ...F }} b: node(id: "<open>") {{ ...F id }}
        c: node(id: "<imaging>") {{ ...F }} d: asset(by: {{id: "<lens>"}}) {{ {ASSET} }}
        e: collection(by: {{id: "<inner>"}}) {{ name }} f: topic(by: {{id: "<genomics>"}}) {{ name }} }}
        fragment F on Node {{ __typename ... on Collection {{ slug }} ... on Topic {{ name }} {ASSET} }}""",
    "objects by slug": '{ a: topic(by: {slug: "imaging"}) { id } b: collection(by: {slug: "deep"}) { id name } }',
    "hidden objects": """{ a: node(id: "<hidden>") { id } b: node(id: "<junk>") { id } c: node(id: "<inner>") { id }
        d: node(id: "<empty>") { id } e: asset(by: {id: "<kept>"}) { __typename } }""",
    "unknown objects": f"""{{ a: node(id: "ast_{NO_ID}") {{ id }} b: node(id: "col_{NO_ID}") {{ id }}
        c: node(id: "top_{NO_ID}") {{ id }} d: node(id: "top_") {{ id }} e: node(id: "col_🦊") {{ id }}
        f: asset(by: {{id: "<open>"}}) {{ __typename }} g: collection(by: {{id: "<open>x"}}) {{ id }} }}""",
    "edges": f"{{ topics {{ edges {{ cursor node {{ slug }} }} {PAGE} }} }}",
    "edges of members": f"""{{ collection(by: {{slug: "open"}}) {{ a: assets(first: 2) {{ {PAGE}
        edges {{ node {{ {ASSET} }} cursor }} }} b: assets(last: 2) {{ edges {{ cursor }} {PAGE} nodes {{
        {ASSET} }} }} }} }}""",
    "empty pages": f"""{{ a: topics(first: 0) {{ nodes {{ slug }} {PAGE} }} b: topics(last: 0) {{ {PAGE}
        edges {{ cursor }} }} c: collection(by: {{slug: "bare"}}) {{ assets {{ {PAGE} edges {{ cursor }} nodes {{
        __typename }} }} children {{ {PAGE} nodes {{ slug }} }} assetCounts {{ total }} }} }}""",
    "descending": f"""{{ a: collections(orderBy: {{field: NAME, direction: DESC}}, first: 3) {{ nodes {{ slug }}
        pageInfo {{ hasNextPage }} }} b: collection(by: {{slug: "open"}}) {{ assets(first: 3, orderBy: {{field:
        POSITION,
        direction: DESC}}) {{ edges {{ cursor node {{ {ASSET} }} }} {PAGE} }} }} }}""",
    "names of types": """{ topics(first: 5) { __typename pageInfo { __typename hasNextPage } edges { __typename node {
        __typename
        collections { __typename nodes { __typename topic { __typename } parent { __typename } assetCounts {
        __typename } assets { __typename edges { __typename node { __typename } } } } } } } } }""",
    "a field twice": """{ topics { nodes { slug } } topics { nodes { name slug } } a: collection(by: {slug:
        "open"}) { slug }
        b: collection(by: {slug: "deep"}) { slug } c: topics(first: 1) { nodes { slug } } }""",
    "conditions": """query($yes: Boolean = true, $no: Boolean = false) { topics { nodes { slug @skip(if: $yes)
        name @include(if: $yes) id @skip(if: $no) collections @include(if: $no) { totalCount } } }
        a: collections @skip(if: $yes) { totalCount } b: collections @skip(if: $no) { totalCount } }""",
    "access": """{ collection(by: {slug: "open"}) { assets { nodes { ... on AssetFields { url name viewerAccess }
        ... on Model { source } } } } a: asset(by: {id: "<lens>"}) { ... on AssetFields { url } } }""",
    "fields without access": """{ collection(by: {slug: "open"}) { assets { nodes { ... on AssetFields { name
        tags } } } } }""",
    "parents": """{ collections { nodes { slug parent { slug parent { name parent { name } } topic { name } }
        topic { slug } } } }""",
    "permissions": """{ collections { nodes { viewerCan { update addAssets } slug parent { slug } topic { name
        viewerCan {
        merge } } } } topics { nodes { viewerCan { createCollection } } } }""",
    "descriptions": '{ asset(by: {id: "<align>"}) { ... on AssetFields { description name } } }',
}
"""Queries that the index answers for all viewers. Names in angle brackets stand for ids."""

QUERIES_OF_MEMBERS = {
    "awards": """{ collection(by: {slug: "open"}) { assets { nodes { ... on AssetFields { name goldStandard { note
        awardedBy { name email } awardedAt } } } } } }""",
    "creators": """{ collections { nodes { slug createdBy { name id } } } topics { nodes { createdBy { name }
        slug } } }""",
}
"""Queries that the index answers for members: to anonymous visitors, some of the users may be hidden."""

PARTIAL_QUERIES = {
    "a field of another kind first": "{ viewer { isAdmin } topics { nodes { slug } } deployment { publicSharing } }",
    "the type of the root": "{ __typename topics { totalCount } a: __typename }",
    "a list that the index does not hold": """{ collection(by: {slug: "open"}) { name } assets(first: 2) { nodes {
        __typename } } topics { totalCount } }""",
}
"""Queries of which the index answers a part."""

OTHER_QUERIES = {
    "slugs that no visible object has": """{ a: topic(by: {slug: ""}) { id } b: topic(by: {slug: "empty"}) { id }
        c: collection(by: {slug: "OPEN"}) { id } d: collection(by: {slug: "members"}) { id } }""",
    "objects of other kinds": f"""{{ a: node(id: "<ada>") {{ id }} b: node(id: "<lab>") {{ id }} c: node(id:
        "x") {{ id }}
        d: node(id: "") {{ id }} e: node(id: "chg_{NO_ID}") {{ id }} }}""",
    "a filter": '{ collection(by: {slug: "open"}) { assets(filter: {kinds: [MODEL]}) { totalCount } } }',
    "another order": '{ collection(by: {slug: "open"}) { assets(orderBy: {field: NAME}) { totalCount } } }',
    "descendants": '{ collection(by: {slug: "open"}) { assets(includeDescendants: true) { totalCount } } }',
    "a search": '{ topics(query: "imag") { nodes { slug } } }',
    "cursors in an order by name": "{ collections(first: 2) { edges { cursor node { slug } } } }",
    "invalid arguments": "{ topics(first: 1, last: 1) { totalCount } }",
    "a page too large": "{ topics(first: 1000) { totalCount } }",
    "invalid cursor": '{ topics(after: "x") { totalCount } }',
    "an unknown field": "{ topics { nodes { none } } }",
}
"""Queries that the engine or graphql-core answers."""
