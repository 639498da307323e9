"""What hosts say in the languages of Europe with Latin letters, and in Turkish.

Many hosts write accented letters as plain ones, and German umlauts as two letters.
Where no page lists the replies in a language, the source is the RFC whose meanings they express.
"""

from sesbounce.feedback.claims.language import (
    BLOCKED,
    CONTENT,
    DISABLED,
    DOMAIN,
    FAST,
    FULL,
    LARGE,
    LATER,
    POLICY,
    UNKNOWN,
    in_language,
    row,
)

_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_FRENCH = "https://libsisimai.org/en/rhost/franceptt/"
_GERMAN = "https://postmaster.gmx.net/en/error-messages"

# fmt: off
# Before the rows about what has only passed.
SOME_LANGUAGES = in_language(
    "many languages", _FRENCH,
    row("temporairement|momentanement|voruebergehend*|vorubergehend*|temporaneamente|"
        "temporalmente|temporariamente|временно|tymczasowo|一時的|暂时|暫時", LATER),
)

FRENCH = in_language(
    "French", _FRENCH,
    row("seuls|seul|seulement|uniquement|que ~ membres|abonnes|autorise*|internes|accept*|"
        "expediteurs", POLICY),
    row("destinataire|utilisateur|abonne + a bloque|bloque|refuse|naccepte|a refuse|a choisi",
        POLICY),
    row("reserve* aux|nest pas membre|pas autorise* a ecrire|liste fermee", POLICY),
    row("expediteur|emetteur|lexpediteur|lemetteur ~ invalide|inconnu*|nexiste*|introuvable|"
        "non verifie*|pas verifie*|incorrect*", BLOCKED),
    row("trop de|trop vite|trop rapidement|debit|limite denvoi ~ messages|mails|emails|courriels|"
        "connexions|destinataires|envois|requetes|depasse*|limite*|messages envoyes", FAST),
    row("message|mail|email|courriel|courrier|taille ~ trop volumineux|trop gros|trop grand*|"
        "trop lourd|taille maximale|taille limite|depasse la taille|maximale|limite du message",
        LARGE),
    row("boite|bal|messagerie|quota|espace|compte|stockage|destinataire - pleine|plein|sature*|"
        "depasse*|insuffisant*|atteint*|quota", FULL),
    row("ip|serveur|reputation|expediteur|emetteur|lexpediteur|domaine denvoi|"
        "adresse dexpedition ~ bloque*|rejete*|refuse*|interdit*|spam|liste noire|mauvaise|"
        "non autorise*", BLOCKED),
    row("compte|boite|adresse|utilisateur|destinataire|messagerie|ladresse|lutilisateur|abonne - "
        "bloque*|suspendu*|desactive*|ferme*|inactif|inactive|resilie*|verrouille*|cloture*|"
        "archivee|plus active|plus actif", DISABLED),
    row("domaine|hote ~ inconnu*|nexiste*|introuvable|invalide|inexistant*|existe pas", DOMAIN),
    row("adresse*|utilisateur|destinataire*|boite*|compte|ladresse|lutilisateur|usager|abonne|"
        "correspondant ~ inconnu*|invalide*|nexiste*|introuvable*|inexistant*|incorrecte|errone*|"
        "existe pas|existe plus|pas connu*|non trouve*|pas trouve*|nest plus valide", UNKNOWN),
    row("inconnu a cette adresse|utilisateur inconnu|aucun utilisateur|aucune boite|aucun compte|"
        "aucun destinataire|pas dutilisateur|pas de boite|pas de compte|pas dadresse", UNKNOWN),
    row("indesirable*|pourriel*|contenu", CONTENT),
    row("plus tard|reessay*|ulterieurement", LATER),
)

GERMAN = in_language(
    "German", _GERMAN,
    row("nur ~ mitglieder*|absender*|interne*|autorisiert*|berechtigt*|bekannte*|zugelassen*|"
        "registriert*", POLICY),
    row("empfanger*|empfaenger*|nutzer|benutzer + hat sie|hat ihre|hat diese|hat den|"
        "hat nachrichten|lehnt|nimmt|mochte|moechte|akzeptiert|verweigert|blockiert", POLICY),
    row("vom empfanger|vom empfaenger|durch den empfanger|durch den empfaenger|kein mitglied|"
        "nicht mitglied", POLICY),
    row("absender*|senderadresse|absenderadresse ~ unbekannt|ungultig*|ungueltig*|"
        "existiert nicht|nicht verifiziert|nicht pruf*|nicht gefunden|nicht verifizier*",
        BLOCKED),
    row("zuviele|zu viele ~ mails|emails|nachrichten ~ auf dem server|im postfach", FULL),
    row("zu viele|zuviele|zu schnell|anzahl der|limit ~ nachrichten|mails|emails|verbindungen|"
        "empfanger|empfaenger|versand|pro stunde|uberschritten|ueberschritten", FAST),
    row("nachricht|mail|email|anhang|nachrichtengrosse|nachrichtengroesse ~ zu gross*|"
        "maximale grosse|maximale groesse|uberschreitet|ueberschreitet|grosser als|groesser als",
        LARGE),
    row("postfach*|mailbox|konto|speicher*|quota|empfanger*|empfaenger*|kontingent - voll|"
        "uberfullt|ueberfuellt|uberschritten|ueberschritten|erschopft|erschoepft|ausgeschopft|"
        "ausgelastet|grosse erreicht|groesse erreicht|grenze erreicht|uberlauf*|nicht genugend|"
        "nicht genug*|kein platz", FULL),
    row("ip|server|reputation|absender*|ihre|mailserver|domain ~ gesperrt|blockiert|abgelehnt|"
        "abgewiesen|blacklist|schwarzen liste|schwarze liste|sperrliste|schlecht*|nicht erlaubt|"
        "nicht berechtigt|verweigert", BLOCKED),
    row("postfach|konto|benutzer|empfanger*|empfaenger*|adresse|mailbox|account|emailadresse|"
        "mailkonto|nutzer|kunde - gesperrt|deaktiviert|inaktiv|stillgelegt|geschlossen|"
        "nicht aktiv|gekundigt|gekuendigt|abgeschaltet|nicht mehr aktiv|eingestellt|blockiert",
        DISABLED),
    row("domain|domane|domaene|host|empfangerdomain|zieldomain ~ unbekannt|existiert nicht|"
        "nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht existent", DOMAIN),
    row("benutzer|empfanger*|empfaenger*|adresse|postfach|emailadresse|teilnehmer|nutzer|konto|"
        "mailadresse|kunde|account|adressat*|anwender|mailbox ~ unbekannt|existiert nicht*|"
        "nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht vorhanden|nicht existent|"
        "nicht mehr|gibt es nicht|exisitert nicht|nicht gultig|geloscht|geloescht|nicht verfugbar",
        UNKNOWN),
    row("unbekannte*|kein|kein solcher|keine solche|ungultige*|ungueltige*|"
        "nicht existierende* + benutzer|empfanger*|empfaenger*|adresse|postfach|nutzer|konto|"
        "emailadresse|teilnehmer|account|email", UNKNOWN),
    row("unerwunscht*|unerwuenscht*|werbung|inhalt|spamverdacht", CONTENT),
    row("spater erneut|spaeter erneut|spater noch|spaeter noch|spater wieder|spaeter wieder|"
        "zeitweise|temporar*", LATER),
)

ITALIAN = in_language(
    "Italian", _RFC3463,
    row("solo|soltanto|solamente|unicamente ~ membri|mittenti|iscritti|autorizzat*|interno|"
        "internos|interna|internas|interni|accetta|utenti", POLICY),
    row("destinatario|utente + ha bloccato|ha rifiutato|ha scelto|rifiuta|blocca|non accetta",
        POLICY),
    row("mittente ~ sconosciut*|inesistente|non valido|non esiste|non verificato|non trovato",
        BLOCKED),
    row("troppi|troppe|limite di invio|limite orario ~ messaggi|email|connessioni|destinatari|"
        "superato|invii|mail", FAST),
    row("messaggio|email|dimensione|dimensioni|mail ~ troppo grande|dimensione massima|"
        "dimensioni massime|supera la dimensione|troppo grandi|superiori|massima", LARGE),
    row("casella|mailbox|quota|spazio|account|casella postale|destinatario - piena|pieno|"
        "superata|superato|esaurit*|insufficiente|oltre quota|raggiunto", FULL),
    row("mittente|ip|server|reputazione|dominio mittente ~ bloccat*|rifiutat*|non autorizzat*|"
        "lista nera|respint*|cattiva", BLOCKED),
    row("casella|utente|account|indirizzo|destinatario|lutente|lindirizzo|laccount - "
        "disabilitat*|sospes*|disattivat*|bloccat*|inattiv*|chius*|non attiv*|scadut*|cessat*",
        DISABLED),
    row("dominio ~ inesistente|non esiste|sconosciuto|non trovato|non valido", DOMAIN),
    row("utente|casella|indirizzo|destinatario|lutente|lindirizzo|account|mailbox|utenza ~ "
        "sconosciut*|inesistente|non esiste*|non trovat*|non valid*|non piu valid*|non presente|"
        "errato|non e valid*", UNKNOWN),
    row("nessun|nessuna + utente|casella|account|indirizzo|destinatario", UNKNOWN),
    row("contenuto|indesiderat*", CONTENT),
    row("riprovare|riprova|temporaneo|piu tardi", LATER),
)

SPANISH = in_language(
    "Spanish", _RFC3463,
    row("solo|solamente|unicamente ~ miembros|remitentes|suscriptores|autorizad*|interno|"
        "internos|interna|internas|interni|acepta|usuarios", POLICY),
    row("destinatario|usuario + ha bloqueado|ha rechazado|ha elegido|rechaza|bloquea|no acepta|"
        "bloqueo", POLICY),
    row("remitente ~ desconocid*|no existe|no valido|invalid*|no verificado|inexistente",
        BLOCKED),
    row("demasiados|demasiadas|limite de envio ~ mensajes|correos|conexiones|destinatarios|"
        "envios|emails|superado", FAST),
    row("mensaje|correo|tamano|email ~ demasiado grande|tamano maximo|excede el tamano|"
        "supera el tamano|tamano permitido|maximo permitido", LARGE),
    row("buzon|cuota|espacio|casilla|cuenta|destinatario|bandeja|almacenamiento|quota - lleno|"
        "llena|excedid*|superad*|agotad*|insuficiente|sin espacio|excede|supero|excedio|"
        "sobre cuota", FULL),
    row("remitente|ip|servidor|reputacion|su dominio ~ bloquead*|rechazad*|no autorizad*|"
        "lista negra|denegad*|prohibid*|mala", BLOCKED),
    row("buzon|cuenta|usuario|direccion|destinatario|casilla - deshabilitad*|suspendid*|"
        "desactivad*|bloquead*|inactiv*|cerrad*|cancelad*|dada de baja|dado de baja|no activ*|"
        "de baja", DISABLED),
    row("dominio ~ no existe|desconocido|no encontrado|inexistente|no valido|invalido|"
        "no se encuentra", DOMAIN),
    row("usuario|buzon|direccion|destinatario|cuenta|casilla|correo ~ desconocid*|no existe*|"
        "inexistente|no encontrad*|no valid*|invalid*|no es valid*|no se encuentra|"
        "no esta registrad*|no se encontro|no fue encontrad*|incorrect*|erronea", UNKNOWN),
    row("no existe|no existe ningun|no existe ninguna|no existe el|no existe ese|"
        "no existe dicha|no existe la|no hay ningun + usuario|buzon|cuenta|direccion|persona|"
        "destinatario", UNKNOWN),
    row("contenido|no deseado", CONTENT),
    row("mas tarde|intentelo|reintente", LATER),
)

PORTUGUESE = in_language(
    "Portuguese", _RFC3463,
    row("somente|apenas|so ~ membros|remetentes|assinantes|autorizad*|interno|internos|interna|"
        "internas|interni|aceita|usuarios", POLICY),
    row("destinatario|usuario + bloqueou|rejeita|recusa|nao aceita|bloqueia|recusou|optou",
        POLICY),
    row("remetente ~ desconhecid*|nao existe|invalid*|inexistente|nao verificado", BLOCKED),
    row("muitas|muitos|excesso de|limite de envio|limite de mensagens ~ mensagens|emails|conexoes|"
        "destinatarios|envios|excedido|mensagem", FAST),
    row("mensagem|tamanho|email ~ muito grande|tamanho maximo|excede o tamanho|muito extensa|"
        "grande demais|maximo permitido", LARGE),
    row("caixa|caixa postal|quota|cota|espaco|conta|destinatario|armazenamento|mailbox - cheia|"
        "cheio|excedid*|esgotad*|insuficiente|lotada|excedeu|ultrapassou|acima da|sem espaco|"
        "estourada", FULL),
    row("remetente|ip|servidor|reputacao|seu dominio ~ bloquead*|rejeitad*|nao autorizad*|"
        "lista negra|recusad*|ma|baixa", BLOCKED),
    row("caixa|caixa postal|conta|usuario|endereco|destinatario|utilizador - desabilitad*|"
        "suspens*|desativad*|desactivad*|bloquead*|inativ*|inactiv*|encerrad*|cancelad*|nao ativ*",
        DISABLED),
    row("dominio ~ nao existe|desconhecido|nao encontrado|inexistente|invalido", DOMAIN),
    row("usuario|utilizador|caixa|caixa postal|endereco|destinatario|conta|email ~ desconhecid*|"
        "nao existe*|inexistente*|nao encontrad*|invalid*|nao e valid*|nao localizad*|"
        "nao foi encontrad*|incorret*|nao cadastrad*", UNKNOWN),
    row("conteudo|indesejad*", CONTENT),
    row("tente novamente|mais tarde", LATER),
)

POLISH = in_language(
    "Polish", _RFC3463,
    row("tylko|wylacznie ~ czlonk*|nadawc*|subskrybent*|uprawnion*|wewnetrzn*|autoryzowan*|"
        "zaufan*|uzytkownik*", POLICY),
    row("odbiorca|adresat|uzytkownik + zablokowal*|odrzuca|nie przyjmuje|nie akceptuje|odrzucil*|"
        "blokuje", POLICY),
    row("nadawc* ~ nieznan*|nie istnieje|nieprawidlow*|niezweryfikowan*|nie zostal*|bledn*",
        BLOCKED),
    row("zbyt wiele|za duzo|zbyt duzo|przekroczon* limit|zbyt szybko ~ wiadomosci|polaczen|"
        "odbiorcow|maili|wysyl*|wyslanych", FAST),
    row("wiadomosc*|rozmiar|list ~ zbyt duza|zbyt duzy|za duza|za duzy|maksymaln*|przekracza*",
        LARGE),
    row("skrzynk*|konto|kont*|limit|miejsc*|pojemnos* - pelna|przepelnion*|przekroczon*|"
        "zapelnion*|brak miejsca|wyczerpan*|pelne", FULL),
    row("nadawc*|ip|serwer*|reputacj* ~ zablokowan*|odrzucon*|czarnej liscie|zabronion*|niska|"
        "nie ma uprawnien", BLOCKED),
    row("skrzynk*|konto|kont*|adres*|uzytkownik*|odbiorc* - zablokowan*|nieaktywn*|wylaczon*|"
        "zawieszon*|zamkniet*|dezaktywowan*|wygasl*", DISABLED),
    row("domen* ~ nie istnieje|nieznan*|nie znalezion*|nieprawidlow*|nie zostal*", DOMAIN),
    row("uzytkownik*|skrzynk*|adres*|odbiorc*|konto|kont*|adresat* ~ nieznan*|nie istniej*|"
        "nie znalezion*|nieprawidlow*|nie odnalezion*|bledn*|nie zostal*|usuniet*|niepoprawn*",
        UNKNOWN),
    row("nie ma takiego|brak takiego|nieznany|nie istnieje|nie ma|nie znaleziono|nieprawidlowy|"
        "niepoprawny + uzytkownik*|adres*|kont*|odbiorc*|skrzynk*", UNKNOWN),
    row("niechcian*|tresc*|wirus*", CONTENT),
    row("sprobuj ponownie|pozniej|chwilowo", LATER),
)

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
# fmt: on
