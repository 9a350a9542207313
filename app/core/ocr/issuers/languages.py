"""The labels of identity papers by language. Folded: small letters without accents, one space between words."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.ocr.issuers.base import DocumentType

LABELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "full_name": ("full name", "name in full", "name of holder"),
        "name": ("name",),
        "surname": ("surname", "last name", "family name", "surname s"),
        "given_names": ("given names", "given name", "first name", "first names", "forenames", "other names"),
        "date_of_birth": ("date of birth", "birth date", "birthdate", "born", "dob", "birthday"),
        "gender": ("sex", "gender"),
        "nationality": ("nationality", "citizenship"),
        "place_of_origin": ("place of origin", "place of birth", "birthplace", "country of birth"),
        "address": ("place of residence", "address", "residence"),
        "issue_date": ("date of issue", "issued on", "issue date", "date of issuance", "issued", "iss", "date issued"),
        "expiry_date": (
            "date of expiry", "expires", "valid until", "expiry date", "date of expiration", "expiration date", "exp",
            "card expires", "valid thru", "valid to", "validity",
        ),
        "document_number": (
            "document no", "document number", "card no", "card number", "licence no", "license no", "licence number",
            "license number", "identity no", "id no", "id number", "identity number", "identification number",
            "identification no", "dl no", "dln", "dl", "lic no", "lic", "uscis", "number", "id card no",
        ),
        "passport_number": ("passport no", "passport number"),
        "other": (
            "type", "code", "class", "place of issue", "authority", "issuing authority", "personal no",
            "personal number",
            "personal identification", "personal identification number", "height", "hgt", "weight", "wgt", "eyes",
            "hair",
            "restrictions", "restr", "endorsements", "end", "rest", "donor", "dd", "signature", "categories", "race",
            "religion", "occupation", "blood group", "marital status", "issuing country", "country code", "category",
            "resident since",
        ),
    },
    "fr": {
        "surname": ("nom", "noms", "nom de famille"),
        "given_names": ("prenoms", "prenom", "prenom s"),
        "date_of_birth": ("date de naissance", "date de naiss", "ne e le", "nee le", "ne le"),
        "gender": ("sexe",),
        "nationality": ("nationalite",),
        "place_of_origin": ("lieu de naissance",),
        "address": ("adresse", "domicile"),
        "issue_date": ("date de delivrance", "delivre le", "date d emission"),
        "expiry_date": ("date d expiration", "date d expir", "valable jusqu au", "carte valable jusqu au"),
        "document_number": (
            "n du document", "no du document", "numero du document", "carte n", "carte nationale d identite n",
        ),
        "passport_number": ("passeport n", "passeport no", "n de passeport"),
        "other": ("nom d usage", "taille", "couleur des yeux", "autorite", "signature", "code du pays", "pays code"),
    },
    "de": {
        "surname": ("familienname", "nachname"),
        "name": ("name",),
        "given_names": ("vornamen", "vorname"),
        "date_of_birth": ("geburtsdatum", "geburtstag", "tag der geburt", "geboren am"),
        "gender": ("geschlecht",),
        "nationality": ("staatsangehorigkeit",),
        "place_of_origin": ("geburtsort",),
        "address": ("anschrift", "wohnort", "wohnsitz"),
        "issue_date": ("ausstellungsdatum", "ausgestellt am", "datum der ausstellung", "tag der ausstellung"),
        "expiry_date": ("gultig bis", "ablaufdatum", "tag des ablaufs", "gueltig bis"),
        "document_number": ("ausweisnummer", "ausweis nr", "fuhrerscheinnummer"),
        "passport_number": ("pass nr", "passnummer", "reisepass nr"),
        "other": ("geburtsname", "behorde", "augenfarbe", "grosse", "unterschrift"),
    },
    "es": {
        "surname": ("apellidos", "apellido", "primer apellido"),
        "given_names": ("nombre", "nombres", "nombre s"),
        "date_of_birth": ("fecha de nacimiento", "fecha nacimiento", "nacimiento", "f nacimiento"),
        "gender": ("sexo",),
        "nationality": ("nacionalidad",),
        "place_of_origin": ("lugar de nacimiento",),
        "address": ("domicilio", "direccion"),
        "issue_date": ("fecha de expedicion", "fecha de emision", "emision"),
        "expiry_date": (
            "fecha de caducidad", "valido hasta", "validez", "fecha de vencimiento", "vencimiento", "fecha caducidad",
        ),
        "document_number": ("numero de documento", "num soporte", "dni num", "dni", "n de documento"),
        "passport_number": ("pasaporte n", "pasaporte no", "n de pasaporte", "num pasaporte"),
        "other": ("equipo", "hijo de", "idesp", "firma", "segundo apellido"),
    },
    "it": {
        "surname": ("cognome",),
        "date_of_birth": ("data di nascita",),
        "gender": ("sesso",),
        "nationality": ("cittadinanza",),
        "place_of_origin": ("luogo di nascita", "luogo e data di nascita"),
        "issue_date": ("emissione", "data di rilascio", "data di emissione"),
        "expiry_date": ("scadenza", "data di scadenza"),
        "other": ("statura", "comune di"),
    },
    "tr": {
        "surname": ("soyadi",),
        "given_names": ("adi",),
        "date_of_birth": ("dogum tarihi",),
        "gender": ("cinsiyeti",),
        "nationality": ("uyrugu",),
        "expiry_date": ("son gecerlilik",),
        "document_number": ("seri no",),
        "other": ("anne adi", "baba adi"),
    },
    "ms": {
        "full_name": ("nama penuh",),
        "name": ("nama",),
        "date_of_birth": ("tarikh lahir",),
        "gender": ("jantina",),
        "nationality": ("warganegara", "kewarganegaraan"),
        "address": ("alamat",),
        "issue_date": ("tarikh dikeluarkan", "tarikh keluaran"),
        "expiry_date": ("tarikh tamat", "tempoh sah"),
        "document_number": ("no pengenalan", "no kad pengenalan", "no lesen"),
        "passport_number": ("no pasport",),
        "other": ("kelas",),
    },
    "id": {
        "full_name": ("nama lengkap",),
        "name": ("nama",),
        "date_of_birth": ("tempat tgl lahir", "tanggal lahir", "tgl lahir"),
        "gender": ("jenis kelamin",),
        "nationality": ("kewarganegaraan",),
        "place_of_origin": ("tempat lahir",),
        "address": ("alamat",),
        "issue_date": ("tanggal pengeluaran", "tgl pengeluaran"),
        "expiry_date": ("berlaku hingga", "berlaku sampai"),
        "document_number": ("nik", "no sim"),
        "passport_number": ("no paspor",),
        "other": (
            "agama", "status perkawinan", "pekerjaan", "gol darah", "golongan darah", "rt rw", "kecamatan",
            "kel desa",
        ),
    },
    "zh": {
        "full_name": ("姓名",),
        "surname": ("姓",),
        "given_names": ("名",),
        "date_of_birth": ("出生日期", "出生", "出生年月日"),
        "gender": ("性别", "性別"),
        "nationality": ("国籍", "國籍"),
        "place_of_origin": ("出生地点", "出生地"),
        "address": ("住址", "地址"),
        "issue_date": ("签发日期", "發證日期", "簽發日期", "初次领证日期"),
        "expiry_date": ("有效期限", "有效期至", "有效日期"),
        "document_number": ("公民身份号码", "证号", "身分證字號", "統一編號"),
        "passport_number": ("护照号", "護照號碼"),
        "other": ("民族", "签发机关", "准驾车型"),
    },
    "ja": {
        "full_name": ("氏名",),
        "surname": ("姓",),
        "given_names": ("名",),
        "date_of_birth": ("生年月日",),
        "gender": ("性別",),
        "nationality": ("国籍", "国籍 地域"),
        "address": ("住所", "住居地"),
        "issue_date": ("交付", "発行年月日"),
        "expiry_date": ("有効期間満了日", "有効期限", "在留期間 満了日"),
        "document_number": ("番号",),
        "passport_number": ("旅券番号",),
        "other": ("本籍", "在留資格"),
    },
    "ko": {
        "full_name": ("성명",),
        "surname": ("성",),
        "given_names": ("이름",),
        "date_of_birth": ("생년월일",),
        "gender": ("성별",),
        "nationality": ("국적",),
        "address": ("주소",),
        "issue_date": ("발급일", "발행일"),
        "expiry_date": ("기간만료일", "만료일"),
        "document_number": ("면허번호", "주민등록번호"),
        "passport_number": ("여권번호",),
        "other": ("발행관청",),
    },
}  # fmt: skip
"""Fields are the public names, and ``name``, ``surname``, ``given_names``, ``document_number``, ``passport_number``
of which they are made. ``other`` are labels whose values nobody asks for: they end the value before them."""

TITLES: Mapping[DocumentType, tuple[str, ...]] = {
    DocumentType.DRIVER_LICENSE: (
        "driver s license", "drivers license", "driver license", "driving licence", "driving license", "driver licence",
        "permis de conduire", "fuhrerschein", "permiso de conducir", "licencia de conducir", "patente di guida",
        "lesen memandu", "surat izin mengemudi", "surucu belgesi", "机动车驾驶证", "運転免許証", "자동차운전면허증",
    ),
    DocumentType.PASSPORT: (
        "passport", "passeport", "reisepass", "pasaporte", "passaporto", "paspoort", "paspor", "pasport", "护照",
        "旅券",
    ),
    DocumentType.ID_CARD: (
        "identity card", "citizen identity card", "national identity card", "national id card", "identification card",
        "personal identification", "permanent resident", "permanent resident card", "residence permit", "resident card",
        "carte nationale d identite", "carte d identite", "titre de sejour", "personalausweis", "aufenthaltstitel",
        "documento nacional de identidad", "carta d identita", "kad pengenalan", "kartu tanda penduduk", "kimlik karti",
        "nufus cuzdani", "identiteitskaart", "居民身份证", "在留カード", "주민등록증",
    ),
    DocumentType.VISA: ("visa", "visum", "visado", "thi thuc"),
}  # fmt: skip
"""What papers are headed with, folded."""

MONTHS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        (
            ("ene", "enero", "gen", "gennaio", "januar", "janvier", "januari", "oca", "ocak"),
            ("febrero", "febbraio", "februar", "fevrier", "februari", "sub", "subat", "peb"),
            ("marzo", "marz", "maerz", "mrz", "maart", "maret", "mac", "mart"),
            ("abr", "abril", "aprile", "nis", "nisan"),
            ("mayo", "mag", "maggio", "mei"),
            ("junio", "giu", "giugno", "juni", "haz", "haziran"),
            ("julio", "lug", "luglio", "juli", "juillet", "julai", "tem", "temmuz"),
            ("ago", "agosto", "agu", "agustus", "ogos", "agustos"),
            ("septiembre", "set", "settembre", "septembre", "eyl", "eylul"),
            ("octubre", "ott", "ottobre", "okt", "oktober", "octobre", "eki", "ekim"),
            ("noviembre", "novembre", "kas", "kasim", "nop", "nopember"),
            "dic", "diciembre", "dicembre", "dez", "dezember", "decembre", "des", "desember", "dis", "disember",
            "ara",
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
"""Months that English, which dates are read in, writes otherwise; folded."""
