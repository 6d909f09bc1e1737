import { graphql } from 'relay-runtime';

graphql`
  query collectionsPageQuery($slug: String!, $first: Int!, $after: String) {
    collection(by: { slug: $slug }) {
      id
      name
      assetCounts {
        total
        dataAssets
      }
      assets(first: $first, after: $after) @connection(key: "Collection_assets") {
        edges {
          addedAt
          addedBy {
            name
          }
          note
          viewerCanRemove
          node {
            ... on AssetFields {
              id
              name
            }
          }
        }
      }
    }
  }
`;

graphql`
  query collectionsAssetQuery($id: ID!, $collectionId: ID!, $first: Int!, $after: String) {
    node(id: $id) {
      ... on AssetFields {
        id
        name
        isIn(collectionId: $collectionId)
        collections(first: $first, after: $after) @connection(key: "Asset_collections") {
          edges {
            addedAt
            addedBy {
              name
            }
            note
            node {
              id
              name
              assetCounts {
                total
              }
            }
          }
        }
      }
    }
  }
`;

graphql`
  query collectionsTopicQuery($slug: String!, $first: Int!, $after: String) {
    topic(by: { slug: $slug }) {
      id
      assetCounts {
        total
      }
      collections(first: $first, after: $after) @connection(key: "Topic_collections") {
        edges {
          node {
            id
            slug
            parent {
              slug
            }
            topic {
              slug
            }
          }
        }
      }
    }
  }
`;

graphql`
  query collectionsTopicsQuery($first: Int!, $after: String) {
    topics(first: $first, after: $after) @connection(key: "Page_topics") {
      edges {
        node {
          id
          name
          assetCounts {
            total
          }
        }
      }
    }
  }
`;

graphql`
  mutation collectionsAddMutation($input: CollectionAssetsAddInput!, $connections: [ID!]!) {
    collectionAssetsAdd(input: $input) {
      collection {
        assetCounts {
          total
          dataAssets
        }
      }
      addedEdges @appendEdge(connections: $connections) {
        cursor
        addedAt
        addedBy {
          name
        }
        note
        viewerCanRemove
        node {
          ... on AssetFields {
            name
          }
        }
      }
      change {
        id
      }
      results {
        assetId
        status
        error {
          code
          message
        }
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsAddAtStartMutation($input: CollectionAssetsAddInput!, $connections: [ID!]!) {
    collectionAssetsAdd(input: $input) {
      collection {
        assetCounts {
          total
          dataAssets
        }
      }
      addedEdges @prependEdge(connections: $connections) {
        cursor
        addedAt
        addedBy {
          name
        }
        note
        viewerCanRemove
        node {
          ... on AssetFields {
            name
          }
        }
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsRemoveMutation($input: CollectionAssetsRemoveInput!, $connections: [ID!]!) {
    collectionAssetsRemove(input: $input) {
      collection {
        assetCounts {
          total
          dataAssets
        }
      }
      removedAssetIds @deleteEdge(connections: $connections)
      change {
        id
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsMoveMutation($input: CollectionAssetsMoveInput!, $from: [ID!]!, $to: [ID!]!) {
    collectionAssetsMove(input: $input) {
      fromCollection {
        assetCounts {
          total
          dataAssets
        }
      }
      toCollection {
        assetCounts {
          total
          dataAssets
        }
      }
      removedAssetIds @deleteEdge(connections: $from)
      addedEdges @appendEdge(connections: $to) {
        cursor
        addedAt
        addedBy {
          name
        }
        note
        viewerCanRemove
        node {
          ... on AssetFields {
            name
          }
        }
      }
      change {
        id
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsUndoMutation($input: ChangeUndoInput!, $removedFrom: [ID!]!, $addedTo: [ID!]!) {
    changeUndo(input: $input) {
      subjects {
        ... on Collection {
          id
          assetCounts {
            total
            dataAssets
          }
        }
      }
      removedAssetIds @deleteEdge(connections: $removedFrom)
      addedEdges @appendEdge(connections: $addedTo) {
        cursor
        addedAt
        addedBy {
          name
        }
        note
        viewerCanRemove
        node {
          ... on AssetFields {
            name
          }
        }
      }
      changes {
        id
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsAssetCollectionsMutation(
    $input: AssetCollectionsUpdateInput!
    $collectionId: ID!
    $connections: [ID!]!
  ) {
    assetCollectionsUpdate(input: $input) {
      asset {
        ... on AssetFields {
          isIn(collectionId: $collectionId)
        }
      }
      addedEdges @appendEdge(connections: $connections) {
        cursor
        addedAt
        addedBy {
          name
        }
        note
        node {
          name
          assetCounts {
            total
          }
        }
      }
      removedCollectionIds @deleteEdge(connections: $connections)
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsCollectionDeleteMutation($input: CollectionDeleteInput!, $connections: [ID!]!) {
    collectionDelete(input: $input) {
      topic {
        assetCounts {
          total
        }
      }
      movedCollections {
        parent {
          slug
        }
      }
      removed: deletedCollectionId @deleteEdge(connections: $connections)
      deletedCollectionId @deleteRecord
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation collectionsTopicMergeMutation($input: TopicMergeInput!, $topics: [ID!]!, $collections: [ID!]!) {
    topicMerge(input: $input) {
      topic {
        assetCounts {
          total
        }
      }
      movedCollections @appendNode(connections: $collections, edgeTypeName: "CollectionEdge") {
        slug
        parent {
          slug
        }
        topic {
          slug
        }
      }
      removed: deletedTopicIds @deleteEdge(connections: $topics)
      deletedTopicIds @deleteRecord
      userErrors {
        code
        message
        path
      }
    }
  }
`;
