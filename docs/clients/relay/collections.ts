import { graphql } from 'relay-runtime';

// The fields that pages and mutations share. A component with its own fragment does without `mask: false`, which puts
// the fields into the data of the operation.

graphql`
  fragment collections_member on CollectionAssetEdge {
    cursor
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
`;

graphql`
  fragment collections_counts on Collection {
    assetCounts {
      total
      dataAssets
    }
  }
`;

graphql`
  fragment collections_error on UserError {
    code
    message
    path
  }
`;

graphql`
  query collectionsPageQuery($slug: String!, $first: Int!, $after: String) {
    collection(by: { slug: $slug }) {
      id
      name
      ...collections_counts @relay(mask: false)
      assets(first: $first, after: $after) @connection(key: "Collection_assets") {
        edges {
          ...collections_member @relay(mask: false)
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
        ...collections_counts @relay(mask: false)
      }
      addedEdges @appendEdge(connections: $connections) {
        ...collections_member @relay(mask: false)
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
        ...collections_error @relay(mask: false)
      }
    }
  }
`;

graphql`
  mutation collectionsAddAtStartMutation($input: CollectionAssetsAddInput!, $connections: [ID!]!) {
    collectionAssetsAdd(input: $input) {
      collection {
        ...collections_counts @relay(mask: false)
      }
      addedEdges @prependEdge(connections: $connections) {
        ...collections_member @relay(mask: false)
      }
      userErrors {
        ...collections_error @relay(mask: false)
      }
    }
  }
`;

graphql`
  mutation collectionsRemoveMutation($input: CollectionAssetsRemoveInput!, $connections: [ID!]!) {
    collectionAssetsRemove(input: $input) {
      collection {
        ...collections_counts @relay(mask: false)
      }
      removedAssetIds @deleteEdge(connections: $connections)
      change {
        id
      }
      userErrors {
        ...collections_error @relay(mask: false)
      }
    }
  }
`;

graphql`
  mutation collectionsMoveMutation($input: CollectionAssetsMoveInput!, $from: [ID!]!, $to: [ID!]!) {
    collectionAssetsMove(input: $input) {
      fromCollection {
        ...collections_counts @relay(mask: false)
      }
      toCollection {
        ...collections_counts @relay(mask: false)
      }
      removedAssetIds @deleteEdge(connections: $from)
      addedEdges @appendEdge(connections: $to) {
        ...collections_member @relay(mask: false)
      }
      change {
        id
      }
      userErrors {
        ...collections_error @relay(mask: false)
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
        ...collections_member @relay(mask: false)
      }
      changes {
        id
      }
      userErrors {
        ...collections_error @relay(mask: false)
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
        ...collections_error @relay(mask: false)
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
        ...collections_error @relay(mask: false)
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
        ...collections_error @relay(mask: false)
      }
    }
  }
`;

graphql`
  subscription collectionsChangedSubscription($id: ID!, $after: String) {
    collectionChanged(id: $id, after: $after) {
      cursor
      reload
      collection {
        id
        name
        ...collections_counts @relay(mask: false)
      }
      addedEdges {
        ...collections_member @relay(mask: false)
      }
      removedAssetIds
    }
  }
`;
