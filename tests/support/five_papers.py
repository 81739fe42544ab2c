"""Five small papers as PDF files, written for the tests, and questions of every kind about them."""

from __future__ import annotations

from pathlib import Path

from tests.support.pdfs import NewPage, Table, make_paper

OTTER = (
    "OtterNet: Finding Fish in Cold Rivers",
    [
        (
            "Abstract",
            [
                "We present OtterNet, a network that finds fish in cold rivers from sound alone. OtterNet is trained "
                "on RiverBank and reaches a recall of 78.4 where earlier networks reach 63.2."
            ],
        ),
        (
            "1 Training",
            [
                "OtterNet has 24 layers. It is trained with a batch size of 512 recordings for 90 hours on eight "
                "hydrophone stations. No recordings from lakes are used.",
                NewPage(),
            ],
        ),
        (
            "2 Results",
            [
                "OtterNet outperforms PikeNet on RiverBank, but not on PondBank, where PikeNet finds more fish.",
                Table(
                    (("Network", "RiverBank", "PondBank"), ("PikeNet", "63.2", "55.1"), ("OtterNet", "78.4", "51.9")),
                    "Table 1: Recall of fish, in per cent.",
                ),
                "A limitation is that OtterNet fails in rivers that are covered with ice.",
            ],
        ),
    ],
)
HERON = (
    "HeronRank: Ranking Ponds by Patience",
    [
        (
            "Abstract",
            [
                "We present HeronRank, a ranker of ponds. It starts from the weights of the network that was proposed "
                "for finding fish in cold rivers, and is tuned on PondBank."
            ],
        ),
        (
            "1 Tuning",
            [
                "HeronRank is tuned with a batch size of 64 ponds for 12 hours on a single station. Labels come from "
                "30 volunteers, who were paid 9 coins an hour.",
                NewPage(),
            ],
        ),
        (
            "2 Limits",
            ["HeronRank needs daylight, since its labels were all made at noon. It was not tested in rivers."],
        ),
    ],
)
LYNX = (
    "Counting Lynx Tracks in Snow",
    [
        ("Abstract", ["We count lynx tracks with LynxCount, a tree of rules that needs no training at all."]),
        (
            "1 Method",
            [
                "LynxCount follows 17 rules that rangers wrote down. On the SnowBank set of 2,817 photographs it "
                "finds 91 per cent of the tracks.",
                NewPage(),
            ],
        ),
        ("2 Cost", ["Writing the rules took three rangers five days. LynxCount runs on a telephone."]),
    ],
)
BEAVER = (
    "BeaverPlan: Where Dams Will Stand",
    [
        (
            "Abstract",
            ["BeaverPlan predicts where beavers build. It reads the maps of RiverBank and 40 years of floods."],
        ),
        (
            "1 Training",
            [
                "BeaverPlan is trained with a batch size of 128 maps for 30 hours. We report the energy: 210 kWh.",
                NewPage(),
            ],
        ),
        ("2 Limits", ["Dams in cities are not predicted, as RiverBank holds no maps of cities."]),
    ],
)
SURVEY = (
    "Listening to Animals: A Survey",
    [
        (
            "Abstract",
            [
                "We survey 63 systems that listen to animals. Most of them need recordings by experts, and few report "
                "how much energy they use."
            ],
        ),
        (
            "1 Findings",
            ["Of the 63 systems, 41 were tested at one place only.", NewPage()],
        ),
        ("2 Outlook", ["We expect that systems will be tested at several places."]),
    ],
)
PAPERS = {"otter.pdf": OTTER, "heron.pdf": HERON, "lynx.pdf": LYNX, "beaver.pdf": BEAVER, "survey.pdf": SURVEY}


def write_papers(folder: Path) -> None:
    """The five papers as PDF files of two pages each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, sections) in PAPERS.items():
        make_paper(folder / name, title, sections)


QUESTIONS: dict[str, tuple[str, str]] = {
    # name: the question, and the name of the question that it follows
    "fact": ("What batch size is OtterNet trained with?", ""),
    "follow-up": ("And for how long?", "fact"),
    "row of a table": ("What recall does PikeNet reach on PondBank?", ""),
    "difference": ("By how many points does OtterNet beat PikeNet on RiverBank?", ""),
    "partly": ("How many layers does OtterNet have, and what is its learning rate?", ""),
    "comparison": ("Compare the batch sizes, training times and limits of OtterNet, HeronRank and BeaverPlan.", ""),
    "list by name": ("Which papers use RiverBank?", ""),
    "list": ("What do the papers say about their limits?", ""),
    "chain": ("How many layers has the network from which HeronRank starts?", ""),
    "described": ("How many rules does the paper on tracks in snow follow?", ""),
    "not in the papers": ("How many birds does OtterNet catch in a day?", ""),
    "no such paper": ("What accuracy does WolfNet reach on ForestBank?", ""),
    "Chinese": ("BeaverPlan的批量大小和训练时间是多少？", ""),
    "small talk": ("Thanks, that was helpful!", ""),
}
