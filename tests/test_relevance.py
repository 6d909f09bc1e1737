"""Relevance of search results: queries that people type, and the asset of the real catalogue that they expect."""

import asyncio

import pytest
from sqlalchemy import update

from app.tokens import create_token
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.conftest import GraphQLClient, World
from tests.missing import REAL_CATALOGUE, needs_real_catalogue

pytestmark = needs_real_catalogue

WHO = "user:zenodo"
EXPECTED = """
# by its name
hmmer hmmsearch                                  = hmmer hmmsearch
picard cleansam                                  = picard cleansam
BrainGlobe Atlases                               = BrainGlobe Atlases
LIVECell                                         = LIVECell
Voronoi segmentation                             = Voronoi segmentation
Icy                                              = Icy
stardist                                         = StarDist
protein data bank                                = Protein Data Bank 3D Structural Biology Data
UK Biobank Linkage Disequilibrium Matrices       = UK Biobank Linkage Disequilibrium Matrices
Pangeo Jupyter Notebook                          = Pangeo Jupyter Notebook
# some of the words, in any order
hmmsearch hmmer                                  = hmmer hmmsearch
behavioral IBL                                   = IBL Behavioral Data on AWS
skin imaging archive                             = International Skin Imaging Collaboration (ISIC) Archive
knee radiograph                                  = Emory Knee Radiograph (MRKR) dataset
gnomad                                           = Genome Aggregation Database (gnomAD) - Data Lakehouse Ready
avian colony photos                              = Gulfwide Avian Colony Monitoring Survey Photos
ovules nuclei                                    = 3D UNet Arabidopsis Ovules Nuclei
label-free mcherry                               = 2D UNet for label-free prediction of mCherry-H2B
bottle genome                                    = Genome in a Bottle on AWS
bowtie kraken hisat                              = Cloud Indexes for Bowtie, Kraken, HISAT, and Centrifuge
vesicle tem                                      = Small Extracellular Vesicle TEM Segmentation (Fully Residual U-Net)
bladder stroma                                   = Bladder MSI WF3: classification tumor vs. stroma
jupyter pangeo                                   = Pangeo Jupyter Notebook
# the prefix of a word
braing                                           = BrainGlobe Atlases
inatural                                         = iNaturalist Licensed Observation Images
hmmer hmmsea                                     = hmmer hmmsearch
picard sorts                                     = picard sortsam
synth                                            = Synthea Coherent Data Set
samtools crams                                   = samtools cramsize
voron                                            = Voronoi segmentation
openw                                            = OpenWings OpenData
# parts of a name, spelt differently
platynereis em cells                             = PlatynereisEMcellsSegmentationBoundaryModel
covid if cell segmentation                       = CovidIFCellSegmentationBoundaryModel
live cell segmentation boundary                  = LiveCellSegmentationBoundaryModel
xarray map plotting                              = Xarray_Map_Plotting_Workflow
xarraymap                                        = Xarray_Map_Plotting_Workflow
spot detection 2025                              = 2025_2D_spot_detection
hylfm                                            = HyLFM-Net-stat
deepstorm                                        = Deep-STORM (2D) - ZeroCostDL4Mic
noise 2 void 3d                                  = Noise2VOID (3D) - ZeroCostDL4Mic
hpa classification                               = HPA-Classification
self supervision                                 = Self_Supervision (2D) - BiaPy
em3d boundary                                    = EM3DBoundaryEnhancer
unifmir                                          = UniFMIRSuperResolutionOnFactin
dl4mic everywhere                                = DL4MicEverywhere
# without its accents or case
OCEAN'S VARIABLES                                = Ocean's variables 2.0
# with a typing error
brainglobe atlsaes                               = BrainGlobe Atlases
hmmsaerch                                        = hmmer hmmsearch
inaturalst                                       = iNaturalist Licensed Observation Images
vornoi                                           = Voronoi segmentation
stardsit                                         = StarDist
arabidopsys ovules nuclei                        = 3D UNet Arabidopsis Ovules Nuclei
picard claensam                                  = picard cleansam
pydamge filter                                   = pydamage filter
synthae coherent                                 = Synthea Coherent Data Set
# by its tags
tag:multiallelic                                 = vt decomposeblocksub
geometric hashing                                = folddisco query
genotype likelihood                              = angsd gl
tag:"macromolecular systems" download            = macsyfinder download
tag:virology kraken                              = 1: Plant virus detection with kraken2 (SE)
pangeo geosciences                               = Pangeo Jupyter Notebook
containerisation                                 = DL4MicEverywhere
gc-ms metabolomics                               = Mass spectrometry: GCMS with metaMS (release v0.2)
# by its DOI
10.5281/zenodo.6559474                           = Small Extracellular Vesicle TEM Segmentation (Fully Residual U-Net)
https://doi.org/10.5281/zenodo.8420099           = UniFMIRSuperResolutionOnFactin
doi:10.7554/eLife.63711                          = IBL Behavioral Data on AWS
doi:10.1038/s41587-026-03162-9                   = folddisco query
zenodo.6808325                                   = EM3DBoundaryEnhancer
10.24072/pcjournal.250                           = macsyfinder download
# by its owner
owner:brainglobe                                 = BrainGlobe Atlases
owner:"international brain laboratory"           = IBL Behavioral Data on AWS
owner:inaturalist                                = iNaturalist Licensed Observation Images
langmead bowtie                                  = Cloud Indexes for Bowtie, Kraken, HISAT, and Centrifuge
owner:mitre                                      = Synthea Coherent Data Set
owner:icy                                        = Icy
kind:model ovules nuclei                         = 3D UNet Arabidopsis Ovules Nuclei
kind:app denoising biapy 2d                      = Denoising (2D) - BiaPy
"""
PAIRS = [line.split(" = ", 1) for line in EXPECTED.strip().splitlines() if not line.startswith("#")]
TOP, PAGE = 3, 10
MIN_SHARE_IN_TOP = 0.95


@pytest.fixture
def catalogue(empty_url: str) -> World:
    """Import the real catalogue, and return its database with the token of a user."""
    return asyncio.run(_write(empty_url))


async def _write(url: str) -> World:
    database = Database(url)
    try:
        await migrate(database)
        await import_catalogue(database, REAL_CATALOGUE, "relevance", lambda _bytes: None)
        async with database.write() as connection:  # administrators see every asset
            await connection.execute(update(sql.principal).values(is_admin=True))
        return World(url, {WHO: await create_token(database, WHO, 3_600)})
    finally:
        await database.close()


async def test_the_expected_asset_is_among_the_first_results(catalogue: World) -> None:
    ask = GraphQLClient(catalogue)
    query = "query ($text: String!) { assets(query: $text, first: 10) { nodes { ... on AssetFields { name } } } }"
    places: dict[str, int | None] = {}
    for text, expected in PAIRS:
        response = await ask(WHO, query, text=text.strip())
        names = [node["name"] for node in response["assets"]["nodes"]]
        places[text.strip()] = names.index(expected) if expected in names else None
    await ask.close()
    assert len(places) >= 60
    assert [text for text, place in places.items() if place is None or place >= PAGE] == []
    late = [text for text, place in places.items() if place is None or place >= TOP]
    assert len(late) <= (1 - MIN_SHARE_IN_TOP) * len(places), late
