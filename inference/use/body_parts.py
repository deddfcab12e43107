"""Body parts that are no bone films, as DICOM and devices write them: codes of regions, defined terms, other words.

DICOM names a body part twice: by code in Anatomic Region Sequence (PS3.16, CID 4031 "Common Anatomic Region", called
CID 4009 for DX) and by a defined term in Body Part Examined; PS3.16, Annex L pairs the two. Codes are SNOMED CT's
(designator SCT), with those of its retired form (SRT, SNM3, 99SDM), which older files hold. The words beyond the
defined terms are what devices and their users write into Body Part Examined in several languages, without accents.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SNOMED = frozenset({"SCT", "SRT", "SNM3", "99SDM"})


@dataclass(frozen=True)
class Region:
    """A region of the body: its codes (current and retired), and words that alone name it."""

    name: str
    codes: frozenset[str]
    words: frozenset[str]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _region(name: str, codes: str, words: str) -> Region:
    return Region(name, _set(codes), _set(words))


# Every region here is refused by default. A combined term stands here only where all of its parts are refused.
OUTSIDE = (
    _region(
        "breast",
        "76752008 T-04000",
        "BREAST BREASTS MAMMA MAMMAE MAMMO MAMMOGRAM MAMMOGRAPHY MAMMOGRAPHIE MAMOGRAFIA MAMMOGRAFIE MAMA MAMAS"
        " MAMMELLA SEIN SEINS SENO SENOS BRUSTDRUESE BRYST BROST PIERSI MEME 乳腺 乳房 МОЛОЧНАЯ МАММОГРАФИЯ",
    ),
    _region(
        "chest",
        "816094009 51185008 T-D3000 43799004 T-D3200 39607008 T-28000 86598002 T-280A0 80891009 T-32000 72410000"
        " T-D3300 416550000 R-FAB55 417437006 R-FAB52 416152001 R-FAB53 44567001 T-25000 955009 T-26000 32849002"
        " T-56000",
        "CHEST THORAX THORACIC TORAX TORACE TORACICO TORACICA TORAKS THORAXES LUNG LUNGS LUNGE LUNGEN LUNGAPEX"
        " POUMON POUMONS PULMON PULMONES PULMAO POLMONE POLMONI LONGEN HEART HERZ COEUR CORAZON CUORE CARDIAC"
        " MEDIASTINUM BRONCHUS TRACHEA ESOPHAGUS OESOPHAGUS CHESTABDOMEN NECKCHEST NECKCHESTABDOMEN BRUST BRUSTKORB"
        " BORST PECHO PEITO PETTO POITRINE KLATKA PLUCA HRUDNIK PLICE LUNGOR AKCIGER GOGUS CXR 胸部 肺 ОГК ГРУДЬ"
        " ГРУДНАЯ ЛЕГКИЕ",
    ),
    _region(
        "abdomen",
        "818981001 113345001 T-D4000 10200004 T-62000 64033007 T-71000 89837001 T-74000 69695003 T-57000 38848004"
        " T-58200 30315005 T-58000 14742008 T-59000 71854001 T-59300 34402009 T-59600 13648007 T-75000 87953007"
        " T-73000 431491007 T-7000B 28231008 T-63000 34707002 T-60600 28273000 T-60610 79741001 T-64500 15776009"
        " T-65000 69930009 T-65010 35039007 T-83000 110639002 T-88920 41216001 T-92000 21306003 T-58400 34516001"
        " T-58600 53505006 T-59900 110861005 T-DD163 303270005 T-50007",
        "ABDOMEN ABDOMINAL ABD ABDO BAUCH VENTRE VIENTRE ADDOME BUIK BUK BRZUCH BRICHO KARIN KUB LIVER KIDNEY"
        " KIDNEYS NIERE NIEREN BLADDER HARNBLASE STOMACH MAGEN DUODENUM SMALLINTESTINE LARGEINTESTINE BOWEL COLON"
        " RECTUM URETER URETHRA GALLBLADDER BILEDUCT PANCREAS UTERUS PROSTATE JEJUNUM ILEUM ANUS 腹部 ЖИВОТ БРЮШНАЯ",
    ),
    _region(
        "head",
        "69536005 T-D1100 774007 T-D1000 89546000 T-11100 12738006 T-A0100 1101003 T-D1400 91397008 T-11196"
        " 89545001 T-D1200 81745001 T-AA000 371398005 T-D0801 363654007 T-D14AE 45206002 T-21000 74386004 T-11149"
        " 2095001 T-22000 59066005 T-11133 13881006 T-11166 42575006 T-D1460 361078006 T-AB959 55024004 T-11102"
        " 117590005 T-AB001",
        "HEAD HEADNECK SKULL CRANIUM CRANIAL BRAIN FACE FACIAL FACIALBONES FACIALBONE ORBIT ORBITS NOSE NASAL"
        " NASALBONE NASALBONES SINUS SINUSES PARANASALSINUS PNS EYE EYES EAR MASTOID ZYGOMA SELLA SELLATURCICA IAC"
        " KOPF SCHAEDEL SCHADEL HIRNSCHAEDEL GESICHT GESICHTSSCHAEDEL NASENNEBENHOEHLEN NASENNEBENHOHLEN NNH"
        " NASENBEIN AUGE CRANE CRANEO CRANIO TETE CABEZA CABECA TESTA FACE CARA HOOFD SCHEDEL HUVUD SKALLE GLOWA"
        " CZASZKA HLAVA LEBKA KAFA KAFATASI 头颅 頭部 头部 頭蓋 ЧЕРЕП ГОЛОВА",
    ),
    _region(
        "teeth and jaw",
        "28035005 T-54000 38199008 T-54010 661005 T-D1213 91609006 T-11180 70925003 T-11170 53620006 T-15290"
        " 123851003 T-D0662 21974007 T-53000 45289007 T-61100 54019009 T-61300",
        "TEETH TOOTH DENTAL DENTITION JAW JAWS MANDIBLE MANDIBULA MAXILLA TMJ MOUTH ORAL INTRAORAL PANORAMIC OPG"
        " OPT ORTHOPANTOMOGRAM PANOREX CEPHALOMETRIC CEPH TEMPOROMANDIBULAR PAROTID TONGUE ZAHN ZAEHNE ZAHNE GEBISS"
        " KIEFER OBERKIEFER UNTERKIEFER KIEFERGELENK DENT DENTS MACHOIRE DIENTE DIENTES MANDIBULAR DENTE DENTES"
        " DENTI MANDIBOLA TAND TANDEN GEBIT KAAK TANDER ZEBY ZUBY CENE 口腔 牙齿 牙 歯 ЗУБЫ ЧЕЛЮСТЬ",
    ),
    _region("phantom", "706342009 R-FE0C7", "PHANTOM"),
)
OUTSIDE_NAMES = tuple(region.name for region in OUTSIDE)

# Bones and joints that may stand beside such a word ("CHEST RIBS", "RADIUS HEAD"): the film is then one of bone.
BONE = _set(
    "RIB RIBS RIPPE RIPPEN COTE COTES COSTAL COSTILLA COSTILLAS COSTA COSTE COSTELA COSTELAS RIBBEN ZEBRA STERNUM"
    " BRUSTBEIN STERNAL SPINE SPINAL CSPINE TSPINE LSPINE WIRBELSAEULE WIRBELSAULE HWS BWS LWS RACHIS COLUMNA COLUNA"
    " COLONNA VERTEBRA VERTEBRAE WERVELKOLOM SACRUM COCCYX CLAVICLE CLAVICULA KLAVIKULA SCHLUESSELBEIN SCAPULA"
    " SCHULTERBLATT SHOULDER SCHULTER EPAULE HOMBRO SPALLA OMBRO AC ACJOINT SCJOINT HUMERUS HUMERAL OBERARM UPPERARM"
    " ARM BRAS BRAZO ELBOW ELLENBOGEN COUDE CODO RADIUS RADIAL ULNA FOREARM UNTERARM WRIST HANDGELENK CARPUS HAND"
    " MAIN MANO FINGER THUMB METACARPAL PELVIS BECKEN BASSIN HIP HUEFTE HUFTE HANCHE CADERA ANCA ILIUM FEMUR FEMORAL"
    " THIGH OBERSCHENKEL UPPERLEG LEG BEIN KNEE KNIE GENOU RODILLA GINOCCHIO PATELLA TIBIA TIBIAL FIBULA FIBULAR"
    " LOWERLEG UNTERSCHENKEL CALF ANKLE SPRUNGGELENK CHEVILLE FOOT FUSS PIED PIE TOE HEEL CALCANEUS METATARSAL HANDS"
    " FEET KNEES HIPS SHOULDERS ELBOWS WRISTS ANKLES LEGS ARMS FINGERS TOES EXTREMITY EXTREMITIES LIMB LIMBS РЕБРА"
    " ПОЗВОНОЧНИК ГРУДИНА"
)
_BONE_SIGNS = "骨椎膝肩肘腕踝髋肋"
# Scripts without spaces: a word of the table anywhere in the run names the region.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

# Parts of the trunk that are bone and not refused, but of which the models have seen no film: limbs and pelvis only.
UNTRAINED_WORDS = _set(
    "RIB RIBS RIPPE RIPPEN COTES COSTILLAS RIBBEN STERNUM BRUSTBEIN SPINE CSPINE TSPINE LSPINE CTSPINE TLSPINE"
    " LSSPINE WIRBELSAEULE WIRBELSAULE BRUSTWIRBELSAULE HALSWIRBELSAULE LENDENWIRBELSAULE HWS BWS LWS RACHIS COLUMNA"
    " COLUNA COLONNA NECK HALS CERVICAL"
)
UNTRAINED_CODES = _set(
    "113197003 T-11300 56873002 T-11210 421060004 T-D04FF 122494005 T-11501 122495006 T-11502 122496007 T-11503"
    " 1217256009 1217257000 1217253001 45048000 T-D1600"
)


# Letters that have no accent to lose, yet are written without their stroke where a device knows plain letters only.
_PLAIN = str.maketrans({"Ł": "L", "Ø": "O", "Æ": "AE"})


def words_of(text: str) -> list[str]:
    """Return the words of a body part in capitals, without accents: "Schädel ap" gives SCHADEL and AP."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "SS").upper().translate(_PLAIN))
    return re.findall(r"[^\W\d_]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def outside_by_words(text: str) -> str:
    """Return the name of the refused region that a body part names; empty where it names none, or a bone beside it."""
    words = words_of(text)
    if any(word in BONE or (_UNSPACED.search(word) and set(word) & set(_BONE_SIGNS)) for word in words):
        return ""
    return next((region.name for region in OUTSIDE if any(_names(word, region) for word in words)), "")


def _names(word: str, region: Region) -> bool:
    if word in region.words:
        return True
    return bool(_UNSPACED.search(word)) and any(known in word for known in region.words if _UNSPACED.search(known))


def outside_by_code(value: str, scheme: str) -> str:
    """Return the name of the refused region of an anatomic region's code; empty where it is none."""
    if scheme.upper() not in SNOMED:
        return ""
    return next((region.name for region in OUTSIDE if value.upper() in region.codes), "")


def is_untrained(text: str, value: str = "", scheme: str = "") -> bool:
    """Whether a body part or its code names a bone of the trunk that no model here has seen."""
    known = scheme.upper() in SNOMED and value.upper() in UNTRAINED_CODES
    return known or bool(UNTRAINED_WORDS & set(words_of(text)))
