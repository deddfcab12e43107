"""German phrases of the written findings."""

LESION = {"": "Läsion", "one": "solitäre Läsion", "several": "multiple Läsionen, die größte"}
NO_LESION = "Keine fokale Knochenläsion."
PLACE = "{bone} {side}"
BONE = {
    "femur": "Femur",
    "tibia": "Tibia",
    "fibula": "Fibula",
    "patella": "Patella",
    "tarsus": "Fußwurzelknochen",
    "metatarsal": "Mittelfußknochen",
    "toe": "Zehenphalanx",
    "humerus": "Humerus",
    "radius": "Radius",
    "ulna": "Ulna",
    "carpus": "Handwurzelknochen",
    "metacarpal": "Mittelhandknochen",
    "finger": "Fingerphalanx",
    "clavicle": "Klavikula",
    "scapula": "Skapula",
    "rib": "Rippe",
    "sternum": "Sternum",
    "spine": "Wirbelkörper",
    "sacrum": "Sakrum",
    "pelvis": "Becken",
    "skull": "Schädel",
}
SIDE = {"L": "links", "R": "rechts", "U": ""}
PART = {
    "epiphysis": "Epiphyse",
    "apophysis": "Apophyse",
    "metaphysis": "Metaphyse",
    "metadiaphysis": "Metadiaphyse",
    "diaphysis": "Diaphyse",
    "whole": "gesamter Knochen",
    "other": "",
}
END = {"proximal": "proximale {part}", "distal": "distale {part}"}
END_ALONE = {"proximal": "proximales Ende", "distal": "distales Ende"}
GRADE = "{margin} (modifizierte Lodwick-Madewell-Klassifikation, Grad {grade})."
SENTENCES = {
    "margin": {
        "IA": "Geographisch mit Sklerosesaum",
        "IB": "Geographisch, scharf begrenzt ohne Sklerosesaum",
        "II": "Geographisch, unscharf begrenzt",
        "IIIA": "Sich ändernde Begrenzung",
        "IIIB": "Mottenfraßartig oder permeativ",
        "IIIC": "Radiographisch okkult",
    },
    "matrix": {
        "none": "Keine Matrixmineralisation.",
        "osteoid": "Osteoide Matrix.",
        "chondroid": "Chondroide Matrix.",
        "fibrous": "Fibröse Matrix, milchglasartig.",
        "mixed": "Gemischte Matrix.",
        "cannot_tell": "Matrix nicht beurteilbar.",
    },
    "periosteum": {
        "none": "Keine Periostreaktion.",
        "solid": "Solide Periostreaktion.",
        "lamellated": "Lamelläre Periostreaktion.",
        "spiculated": "Spikulierte Periostreaktion.",
        "codman": "Codman-Dreieck.",
        "interrupted": "Unterbrochene Periostreaktion.",
    },
    "cortical_destruction": {
        "yes": "Kortikalisdestruktion.",
        "no": "Keine Kortikalisdestruktion.",
        "cannot_tell": "Kortikalis nicht beurteilbar.",
    },
    "soft_tissue_mass": {
        "yes": "Weichteilkomponente.",
        "no": "Keine Weichteilkomponente.",
        "cannot_tell": "Weichteile nicht beurteilbar.",
    },
    "fracture": {
        "yes": "Pathologische Fraktur.",
        "no": "Keine pathologische Fraktur.",
        "cannot_tell": "Fraktur nicht beurteilbar.",
    },
    "incidental": {"yes": "Zufallsbefund.", "no": "", "cannot_tell": ""},
    "known_primary": {
        "yes": "Maligner Primärtumor bekannt.",
        "no": "Kein maligner Primärtumor bekannt.",
        "cannot_tell": "",
    },
}
IMPRESSION = {
    "malignant": ("malignitätsverdächtige Läsion", "malignitätsverdächtige Läsionen"),
    "benign": ("Läsion mit benignen Merkmalen", "Läsionen mit benignen Merkmalen"),
    "cannot_tell": ("Läsion unklarer Dignität", "Läsionen unklarer Dignität"),
}
IMPRESSION_NORMAL = "Keine fokale Knochenläsion abgrenzbar. Eine Läsion ist damit nicht ausgeschlossen."
IMPRESSION_OPEN = "Die Aufnahmen erlauben keine Beurteilung."
ADVICE = {
    "refer": "Vorstellung in einem Knochentumorzentrum vor jeder Biopsie.",
    "mr": "Weitere Bildgebung: MRT.",
    "ct": "Weitere Bildgebung: CT.",
    "none": "Keine Verlaufskontrolle empfohlen.",
}
FOLLOW_UP = ("Verlaufskontrolle in {months} Monat.", "Verlaufskontrolle in {months} Monaten.")
