"""What hosts say in French, German, Italian, Spanish, Portuguese and Polish.

Many hosts write accented letters as plain ones, and German umlauts as two letters.
Where no page lists the replies in a language, the source is the RFC whose meanings they express.
"""

from sesbounce.feedback.claims.claim import in_language
from sesbounce.feedback.reason import Reason

_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_FRENCH = "https://libsisimai.org/en/rhost/franceptt/"
_GERMAN = "https://postmaster.gmx.net/en/error-messages"

_UNKNOWN = Reason.NO_SUCH_MAILBOX
_DISABLED = Reason.MAILBOX_DISABLED
_FULL = Reason.MAILBOX_FULL
_DOMAIN = Reason.DOMAIN_NOT_FOUND
_POLICY = Reason.RECIPIENT_POLICY
_BLOCKED = Reason.SENDER_BLOCKED
_FAST = Reason.RATE_LIMITED
_LARGE = Reason.MESSAGE_TOO_LARGE
_CONTENT = Reason.CONTENT_REJECTED
_LATER = Reason.TEMPORARY_FAILURE


def _row(match: str, reason: Reason) -> tuple[str, Reason]:
    return match, reason


# fmt: off
# Before the rows about what has only passed.
SOME_LANGUAGES = in_language(
    "many languages", _FRENCH,
    _row("temporairement|momentanement|voruebergehend*|vorubergehend*|temporaneamente|"
         "temporalmente|temporariamente|временно|tymczasowo|一時的|暂时|暫時", _LATER),
)

FRENCH = in_language(
    "French", _FRENCH,
    _row("seuls|seul|seulement|uniquement|que ~ membres|abonnes|autorise*|internes|accept*|"
         "expediteurs", _POLICY),
    _row("destinataire|utilisateur|abonne + a bloque|bloque|refuse|naccepte|a refuse|a choisi",
         _POLICY),
    _row("reserve* aux|nest pas membre|pas autorise* a ecrire|liste fermee", _POLICY),
    _row("expediteur|emetteur|lexpediteur|lemetteur ~ invalide|inconnu*|nexiste*|introuvable|"
         "non verifie*|pas verifie*|incorrect*", _BLOCKED),
    _row("trop de|trop vite|trop rapidement|debit|limite denvoi ~ messages|mails|emails|courriels|"
         "connexions|destinataires|envois|requetes|depasse*|limite*|messages envoyes", _FAST),
    _row("message|mail|email|courriel|courrier|taille ~ trop volumineux|trop gros|trop grand*|"
         "trop lourd|taille maximale|taille limite|depasse la taille|maximale|limite du message",
         _LARGE),
    _row("boite|bal|messagerie|quota|espace|compte|stockage|destinataire - pleine|plein|sature*|"
         "depasse*|insuffisant*|atteint*|quota", _FULL),
    _row("ip|serveur|reputation|expediteur|emetteur|lexpediteur|domaine denvoi|"
         "adresse dexpedition ~ bloque*|rejete*|refuse*|interdit*|spam|liste noire|mauvaise|"
         "non autorise*", _BLOCKED),
    _row("compte|boite|adresse|utilisateur|destinataire|messagerie|ladresse|lutilisateur|abonne - "
         "bloque*|suspendu*|desactive*|ferme*|inactif|inactive|resilie*|verrouille*|cloture*|"
         "archivee|plus active|plus actif", _DISABLED),
    _row("domaine|hote ~ inconnu*|nexiste*|introuvable|invalide|inexistant*|existe pas", _DOMAIN),
    _row("adresse*|utilisateur|destinataire*|boite*|compte|ladresse|lutilisateur|usager|abonne|"
         "correspondant ~ inconnu*|invalide*|nexiste*|introuvable*|inexistant*|incorrecte|errone*|"
         "existe pas|existe plus|non trouve*|pas trouve*|nest plus valide", _UNKNOWN),
    _row("inconnu a cette adresse|utilisateur inconnu|aucun utilisateur|aucune boite|aucun compte|"
         "aucun destinataire|pas dutilisateur|pas de boite|pas de compte|pas dadresse", _UNKNOWN),
    _row("indesirable*|pourriel*|contenu", _CONTENT),
    _row("essayer plus tard|reessayer|ulterieurement", _LATER),
)

GERMAN = in_language(
    "German", _GERMAN,
    _row("nur ~ mitglieder*|absender*|interne*|autorisiert*|berechtigt*|bekannte*|zugelassen*|"
         "registriert*", _POLICY),
    _row("empfanger*|empfaenger*|nutzer|benutzer + hat sie|hat ihre|hat diese|hat den|"
         "hat nachrichten|lehnt|nimmt|mochte|moechte|akzeptiert|verweigert|blockiert", _POLICY),
    _row("vom empfanger|vom empfaenger|durch den empfanger|durch den empfaenger|kein mitglied|"
         "nicht mitglied", _POLICY),
    _row("absender*|senderadresse|absenderadresse ~ unbekannt|ungultig*|ungueltig*|"
         "existiert nicht|nicht verifiziert|nicht pruf*|nicht gefunden|nicht verifizier*",
         _BLOCKED),
    _row("zu viele|zu schnell|anzahl der|limit ~ nachrichten|mails|emails|verbindungen|empfanger|"
         "empfaenger|versand|pro stunde|uberschritten|ueberschritten", _FAST),
    _row("nachricht|mail|email|anhang|nachrichtengrosse|nachrichtengroesse ~ zu gross*|"
         "maximale grosse|maximale groesse|uberschreitet|ueberschreitet|grosser als|groesser als",
         _LARGE),
    _row("postfach*|mailbox|konto|speicher*|quota|empfanger*|empfaenger*|kontingent - voll|"
         "uberfullt|ueberfuellt|uberschritten|ueberschritten|erschopft|erschoepft|ausgeschopft|"
         "ausgelastet|uberlauf*|nicht genugend|nicht genug*|kein platz", _FULL),
    _row("ip|server|reputation|absender*|ihre|mailserver|domain ~ gesperrt|blockiert|abgelehnt|"
         "abgewiesen|blacklist|sperrliste|schlecht*|nicht erlaubt|nicht berechtigt|verweigert",
         _BLOCKED),
    _row("postfach|konto|benutzer|empfanger*|empfaenger*|adresse|mailbox|account|emailadresse|"
         "mailkonto|nutzer|kunde - gesperrt|deaktiviert|inaktiv|stillgelegt|geschlossen|"
         "nicht aktiv|gekundigt|gekuendigt|abgeschaltet|nicht mehr aktiv|eingestellt|blockiert",
         _DISABLED),
    _row("domain|domane|domaene|host|empfangerdomain|zieldomain ~ unbekannt|existiert nicht|"
         "nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht existent", _DOMAIN),
    _row("benutzer|empfanger*|empfaenger*|adresse|postfach|emailadresse|teilnehmer|nutzer|konto|"
         "mailadresse|kunde|account|adressat*|anwender|mailbox ~ unbekannt|existiert nicht*|"
         "nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht vorhanden|nicht existent|"
         "nicht mehr|gibt es nicht|exisitert nicht|nicht gultig|geloscht|geloescht|nicht verfugbar",
         _UNKNOWN),
    _row("unbekannte*|kein|ungultige*|ungueltige*|nicht existierende* + benutzer|empfanger*|"
         "empfaenger*|adresse|postfach|nutzer|konto|emailadresse|teilnehmer|account|email",
         _UNKNOWN),
    _row("unerwunscht*|unerwuenscht*|werbung|inhalt|spamverdacht", _CONTENT),
    _row("spater erneut|spaeter erneut|spater noch|spaeter noch|spater wieder|spaeter wieder|"
         "zeitweise|temporar*", _LATER),
)

ITALIAN = in_language(
    "Italian", _RFC3463,
    _row("solo|soltanto|solamente|unicamente ~ membri|mittenti|iscritti|autorizzat*|interno|"
         "internos|interna|internas|interni|accetta|utenti", _POLICY),
    _row("destinatario|utente + ha bloccato|ha rifiutato|ha scelto|rifiuta|blocca|non accetta",
         _POLICY),
    _row("mittente ~ sconosciut*|inesistente|non valido|non esiste|non verificato|non trovato",
         _BLOCKED),
    _row("troppi|troppe|limite di invio|limite orario ~ messaggi|email|connessioni|destinatari|"
         "superato|invii|mail", _FAST),
    _row("messaggio|email|dimensione|dimensioni|mail ~ troppo grande|dimensione massima|"
         "dimensioni massime|supera la dimensione|troppo grandi|superiori|massima", _LARGE),
    _row("casella|mailbox|quota|spazio|account|casella postale|destinatario - piena|pieno|"
         "superata|superato|esaurit*|insufficiente|oltre quota|raggiunto", _FULL),
    _row("mittente|ip|server|reputazione|dominio mittente ~ bloccat*|rifiutat*|non autorizzat*|"
         "lista nera|respint*|cattiva", _BLOCKED),
    _row("casella|utente|account|indirizzo|destinatario|lutente|lindirizzo|laccount - "
         "disabilitat*|sospes*|disattivat*|bloccat*|inattiv*|chius*|non attiv*|scadut*|cessat*",
         _DISABLED),
    _row("dominio ~ inesistente|non esiste|sconosciuto|non trovato|non valido", _DOMAIN),
    _row("utente|casella|indirizzo|destinatario|lutente|lindirizzo|account|mailbox|utenza ~ "
         "sconosciut*|inesistente|non esiste*|non trovat*|non valid*|non piu valid*|non presente|"
         "errato|non e valid*", _UNKNOWN),
    _row("nessun|nessuna + utente|casella|account|indirizzo|destinatario", _UNKNOWN),
    _row("contenuto|indesiderat*", _CONTENT),
    _row("riprovare|riprova|temporaneo|piu tardi", _LATER),
)

SPANISH = in_language(
    "Spanish", _RFC3463,
    _row("solo|solamente|unicamente ~ miembros|remitentes|suscriptores|autorizad*|interno|"
         "internos|interna|internas|interni|acepta|usuarios", _POLICY),
    _row("destinatario|usuario + ha bloqueado|ha rechazado|ha elegido|rechaza|bloquea|no acepta|"
         "bloqueo", _POLICY),
    _row("remitente ~ desconocid*|no existe|no valido|invalid*|no verificado|inexistente",
         _BLOCKED),
    _row("demasiados|demasiadas|limite de envio ~ mensajes|correos|conexiones|destinatarios|"
         "envios|emails|superado", _FAST),
    _row("mensaje|correo|tamano|email ~ demasiado grande|tamano maximo|excede el tamano|"
         "supera el tamano|tamano permitido|maximo permitido", _LARGE),
    _row("buzon|cuota|espacio|casilla|cuenta|destinatario|bandeja|almacenamiento|quota - lleno|"
         "llena|excedid*|superad*|agotad*|insuficiente|sin espacio|excede|supero|excedio|"
         "sobre cuota", _FULL),
    _row("remitente|ip|servidor|reputacion|su dominio ~ bloquead*|rechazad*|no autorizad*|"
         "lista negra|denegad*|prohibid*|mala", _BLOCKED),
    _row("buzon|cuenta|usuario|direccion|destinatario|casilla - deshabilitad*|suspendid*|"
         "desactivad*|bloquead*|inactiv*|cerrad*|cancelad*|dada de baja|dado de baja|no activ*|"
         "de baja", _DISABLED),
    _row("dominio ~ no existe|desconocido|no encontrado|inexistente|no valido|invalido|"
         "no se encuentra", _DOMAIN),
    _row("usuario|buzon|direccion|destinatario|cuenta|casilla|correo ~ desconocid*|no existe*|"
         "inexistente|no encontrad*|no valid*|invalid*|no es valid*|no se encuentra|"
         "no esta registrad*|no se encontro|no fue encontrad*|incorrect*|erronea", _UNKNOWN),
    _row("no existe|no existe el|no existe ese|no existe dicha|no existe la|no hay ningun + "
         "usuario|buzon|cuenta|direccion|persona|destinatario", _UNKNOWN),
    _row("contenido|no deseado", _CONTENT),
    _row("mas tarde|intentelo|reintente", _LATER),
)

PORTUGUESE = in_language(
    "Portuguese", _RFC3463,
    _row("somente|apenas|so ~ membros|remetentes|assinantes|autorizad*|interno|internos|interna|"
         "internas|interni|aceita|usuarios", _POLICY),
    _row("destinatario|usuario + bloqueou|rejeita|recusa|nao aceita|bloqueia|recusou|optou",
         _POLICY),
    _row("remetente ~ desconhecid*|nao existe|invalid*|inexistente|nao verificado", _BLOCKED),
    _row("muitas|muitos|excesso de|limite de envio|limite de mensagens ~ mensagens|emails|conexoes|"
         "destinatarios|envios|excedido|mensagem", _FAST),
    _row("mensagem|tamanho|email ~ muito grande|tamanho maximo|excede o tamanho|muito extensa|"
         "grande demais|maximo permitido", _LARGE),
    _row("caixa|caixa postal|quota|cota|espaco|conta|destinatario|armazenamento|mailbox - cheia|"
         "cheio|excedid*|esgotad*|insuficiente|lotada|excedeu|ultrapassou|acima da|sem espaco|"
         "estourada", _FULL),
    _row("remetente|ip|servidor|reputacao|seu dominio ~ bloquead*|rejeitad*|nao autorizad*|"
         "lista negra|recusad*|ma|baixa", _BLOCKED),
    _row("caixa|caixa postal|conta|usuario|endereco|destinatario|utilizador - desabilitad*|"
         "suspens*|desativad*|desactivad*|bloquead*|inativ*|inactiv*|encerrad*|cancelad*|nao ativ*",
         _DISABLED),
    _row("dominio ~ nao existe|desconhecido|nao encontrado|inexistente|invalido", _DOMAIN),
    _row("usuario|utilizador|caixa|caixa postal|endereco|destinatario|conta|email ~ desconhecid*|"
         "nao existe*|inexistente*|nao encontrad*|invalid*|nao e valid*|nao localizad*|"
         "nao foi encontrad*|incorret*|nao cadastrad*", _UNKNOWN),
    _row("conteudo|indesejad*", _CONTENT),
    _row("tente novamente|mais tarde", _LATER),
)

POLISH = in_language(
    "Polish", _RFC3463,
    _row("tylko|wylacznie ~ czlonk*|nadawc*|subskrybent*|uprawnion*|wewnetrzn*|autoryzowan*|"
         "zaufan*|uzytkownik*", _POLICY),
    _row("odbiorca|adresat|uzytkownik + zablokowal*|odrzuca|nie przyjmuje|nie akceptuje|odrzucil*|"
         "blokuje", _POLICY),
    _row("nadawc* ~ nieznan*|nie istnieje|nieprawidlow*|niezweryfikowan*|nie zostal*|bledn*",
         _BLOCKED),
    _row("zbyt wiele|za duzo|zbyt duzo|przekroczon* limit|zbyt szybko ~ wiadomosci|polaczen|"
         "odbiorcow|maili|wysyl*|wyslanych", _FAST),
    _row("wiadomosc*|rozmiar|list ~ zbyt duza|zbyt duzy|za duza|za duzy|maksymaln*|przekracza*",
         _LARGE),
    _row("skrzynk*|konto|kont*|limit|miejsc*|pojemnos* - pelna|przepelnion*|przekroczon*|"
         "zapelnion*|brak miejsca|wyczerpan*|pelne", _FULL),
    _row("nadawc*|ip|serwer*|reputacj* ~ zablokowan*|odrzucon*|czarnej liscie|zabronion*|niska|"
         "nie ma uprawnien", _BLOCKED),
    _row("skrzynk*|konto|kont*|adres*|uzytkownik*|odbiorc* - zablokowan*|nieaktywn*|wylaczon*|"
         "zawieszon*|zamkniet*|dezaktywowan*|wygasl*", _DISABLED),
    _row("domen* ~ nie istnieje|nieznan*|nie znalezion*|nieprawidlow*|nie zostal*", _DOMAIN),
    _row("uzytkownik*|skrzynk*|adres*|odbiorc*|konto|kont*|adresat* ~ nieznan*|nie istniej*|"
         "nie znalezion*|nieprawidlow*|nie odnalezion*|bledn*|nie zostal*|usuniet*|niepoprawn*",
         _UNKNOWN),
    _row("nie ma takiego|brak takiego|nieznany|nie istnieje|nie ma|nie znaleziono|nieprawidlowy|"
         "niepoprawny + uzytkownik*|adres*|kont*|odbiorc*|skrzynk*", _UNKNOWN),
    _row("niechcian*|tresc*|wirus*", _CONTENT),
    _row("sprobuj ponownie|pozniej|chwilowo", _LATER),
)
# fmt: on
