"""What hosts say in Dutch, Czech, Turkish and Korean.

No page lists the replies in these languages: the source is the RFC whose meanings they express.
"""

from sesbounce.feedback.claims.language import (
    BLOCKED,
    CONTENT,
    DISABLED,
    FULL,
    LATER,
    POLICY,
    UNKNOWN,
    in_language,
    row,
)

_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"

# fmt: off
DUTCH = in_language(
    "Dutch", _RFC3463,
    row("alleen|uitsluitend ~ leden|geautoriseerd*|interne|bekende|toegestane", POLICY),
    row("mailbox|postbus|postvak|brievenbus|quota|ontvanger ~ vol|overschreden|"
        "onvoldoende ruimte|geen ruimte", FULL),
    row("afzender|server|reputatie|mailserver|uw ip|ip adres ~ geblokkeerd|geweigerd|zwarte lijst|"
        "niet toegestaan|niet vertrouwd", BLOCKED),
    row("gebruiker|account|mailbox|postbus|ontvanger|adres|emailadres - geblokkeerd|opgeheven|"
        "uitgeschakeld|inactief|afgesloten|gesloten|niet actief", DISABLED),
    row("gebruiker|ontvanger|adres|emailadres|mailbox|postbus|account ~ onbekend|bestaat niet|"
        "niet gevonden|ongeldig|niet bekend|bestaat hier niet", UNKNOWN),
    row("onbekende|ongeldige|ongeldig|geen + gebruiker|ontvanger|adres|mailbox|postbus|"
        "emailadres", UNKNOWN),
    row("ongewenst*|als spam|inhoud", CONTENT),
    row("later opnieuw|tijdelijk", LATER),
)

CZECH = in_language(
    "Czech", _RFC3463,
    row("schrank*|kvota|kvoty|uloziste|prostor ~ plna|plny|prekrocen*|vycerpan*", FULL),
    row("odesilatel*|vase ip|server*|reputac* ~ blokovan*|zablokovan*|odmitnut*|zakazan*|"
        "na blacklistu", BLOCKED),
    row("schrank*|ucet|uzivatel*|adresa - zablokovan*|deaktivovan*|zrusen*|neaktivni", DISABLED),
    row("uzivatel*|adresat*|adresa|schrank*|prijemce|ucet ~ neexistuj*|neznam*|nenalezen*|"
        "neplatn*|nebyl nalezen|nebyla nalezena", UNKNOWN),
    row("neznamy|neexistujici|neplatny|neplatna + uzivatel*|adresat*|prijemce|adresa", UNKNOWN),
    row("nevyzadan*|obsah zpravy", CONTENT),
    row("zkuste pozdeji|pozdeji|docasn*", LATER),
)

TURKISH = in_language(
    "Turkish", _RFC3463,
    row("posta kutusu|kutusu|kota|kotasi|alan ~ dolu|doldu|asildi|yetersiz", FULL),
    row("gonderen|gonderici|ip adresiniz|sunucunuz|ip adresi ~ engellendi|engellenmis*|"
        "reddedildi|kara liste*|yasakli", BLOCKED),
    row("hesap|hesabi|kullanici|posta kutusu|hesaba - devre disi|askiya alinmis|kapali|"
        "kapatilmis|pasif|dondurulmus", DISABLED),
    row("kullanici|alici|adres|adresi|posta kutusu|hesap ~ bulunamadi|bulunamiyor|gecersiz|"
        "bilinmiyor|mevcut degil|yok", UNKNOWN),
    row("bilinmeyen|gecersiz|boyle bir + kullanici|alici|adres|hesap", UNKNOWN),
    row("istenmeyen|icerik", CONTENT),
    row("daha sonra|gecici olarak", LATER),
)

KOREAN = in_language(
    "Korean", _RFC3463,
    row("메일함|사서함|편지함|용량|저장공간|저장 공간 ~ 초과|초과하였습니다|초과했습니다|"
        "초과되었습니다|가득|부족|부족합니다", FULL),
    row("수신 거부|수신거부|수신을 거부|수신자가 거부", POLICY),
    row("발신|발신자|발송|ip|서버|아이피|ip가 ~ 차단|차단된|차단되었습니다|거부|거부되었습니다",
        BLOCKED),
    row("계정|계정이|사용자|사용자가|휴면|정지된 ~ 계정|계정입니다|정지|중지|비활성|탈퇴|"
        "정지되었습니다", DISABLED),
    row("사용자|사용자가|수신자|수신자가|계정|계정이|메일 주소|주소|주소가|메일함이 ~ "
        "없습니다|없음|존재하지|찾을 수 없|찾을 수 없습니다|잘못된", UNKNOWN),
    row("존재하지 않는|없는|알 수 없는|잘못된 + 사용자|사용자입니다|수신자|수신자입니다|계정|"
        "계정입니다|메일|메일주소|주소|주소입니다|아이디", UNKNOWN),
    row("스팸|스팸으로|바이러스|스팸메일", CONTENT),
    row("잠시 후|나중에|일시적", LATER),
)
# fmt: on
