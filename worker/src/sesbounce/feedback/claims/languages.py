"""The claims that rest on words in other languages than English, without accents.

Many hosts write accented letters as plain ones, German umlauts also as two letters.
"""

from sesbounce.feedback.claims.claim import Claim, Level
from sesbounce.feedback.reason import Reason

_FRENCH = "https://libsisimai.org/en/rhost/franceptt/"
_GERMAN = "https://postmaster.t-online.de/"
_ITALIAN = "https://assistenza.libero.it/postmaster/"
_SPANISH = "https://ayuda.telefonica.net/correo/"
_PORTUGUESE = "https://postmaster.uol.com.br/"
_JAPANESE = "https://libsisimai.org/ja/"
_RUSSIAN = "https://yandex.ru/support/mail/web/letter/create.html"
_POLISH = "https://pomoc.wp.pl/"
_CHINESE = "https://service.mail.qq.com/detail/122/53"


def _in(language: str, source: str, *rows: tuple[str, Reason]) -> tuple[Claim, ...]:
    return tuple(Claim(Level.WORDS, match, reason, language, source) for match, reason in rows)


_UNKNOWN, _DISABLED, _FULL = Reason.NO_SUCH_MAILBOX, Reason.MAILBOX_DISABLED, Reason.MAILBOX_FULL
_DOMAIN, _POLICY = Reason.DOMAIN_NOT_FOUND, Reason.RECIPIENT_POLICY
_UNAUTHENTICATED, _BLOCKED = Reason.SENDER_UNAUTHENTICATED, Reason.SENDER_BLOCKED
_FAST, _LARGE, _CONTENT = Reason.RATE_LIMITED, Reason.MESSAGE_TOO_LARGE, Reason.CONTENT_REJECTED
_LATER = Reason.TEMPORARY_FAILURE

FRENCH = _in(
    "French", _FRENCH,
    ("seuls|seul|seulement|uniquement|que ~ membres|abonnes|autorise*|internes|accept*|expediteurs", _POLICY),
    ("destinataire|utilisateur|abonne + a bloque|bloque|refuse|naccepte|a refuse|a choisi", _POLICY),
    ("reserve* aux|nest pas membre|pas autorise* a ecrire|liste fermee", _POLICY),
    ("expediteur|emetteur|lexpediteur|lemetteur ~ invalide|inconnu*|nexiste*|introuvable|non verifie*|pas verifie*|incorrect*", _BLOCKED),
    ("trop de|trop vite|trop rapidement|debit|limite denvoi ~ messages|mails|emails|courriels|connexions|destinataires|envois|requetes|depasse*|limite*|messages envoyes", _FAST),
    ("message|mail|email|courriel|courrier|taille ~ trop volumineux|trop gros|trop grand*|trop lourd|taille maximale|taille limite|depasse la taille|maximale|limite du message", _LARGE),
    ("boite|bal|messagerie|quota|espace|compte|stockage|destinataire - pleine|plein|sature*|depasse*|insuffisant*|atteint*|quota", _FULL),
    ("ip|serveur|reputation|expediteur|emetteur|lexpediteur|domaine denvoi|adresse dexpedition ~ bloque*|rejete*|refuse*|interdit*|spam|liste noire|mauvaise|non autorise*", _BLOCKED),
    ("compte|boite|adresse|utilisateur|destinataire|messagerie|ladresse|lutilisateur|abonne - bloque*|suspendu*|desactive*|ferme*|inactif|inactive|resilie*|verrouille*|cloture*|archivee|plus active|plus actif", _DISABLED),
    ("domaine|hote ~ inconnu*|nexiste*|introuvable|invalide|inexistant*|existe pas", _DOMAIN),
    ("adresse*|utilisateur|destinataire*|boite*|compte|ladresse|lutilisateur|usager|abonne|correspondant ~ inconnu*|invalide*|nexiste*|introuvable*|inexistant*|incorrecte|errone*|existe pas|existe plus|non trouve*|pas trouve*|nest plus valide", _UNKNOWN),
    ("inconnu a cette adresse|utilisateur inconnu|aucun utilisateur|aucune boite|aucun compte|aucun destinataire", _UNKNOWN),
    ("indesirable*|pourriel*|contenu", _CONTENT),
    ("essayer plus tard|reessayer|temporairement|ulterieurement|momentanement", _LATER),
)

GERMAN = _in(
    "German", _GERMAN,
    ("nur ~ mitglieder*|absender*|interne*|autorisiert*|berechtigt*|bekannte*|zugelassen*|registriert*", _POLICY),
    ("empfanger*|empfaenger*|nutzer|benutzer + hat sie|hat ihre|hat diese|hat den|hat nachrichten|lehnt|nimmt|mochte|moechte|akzeptiert|verweigert|blockiert", _POLICY),
    ("vom empfanger|vom empfaenger|durch den empfanger|durch den empfaenger|kein mitglied|nicht mitglied", _POLICY),
    ("absender*|senderadresse|absenderadresse ~ unbekannt|ungultig*|ungueltig*|existiert nicht|nicht verifiziert|nicht pruf*|nicht gefunden|nicht verifizier*", _BLOCKED),
    ("zu viele|zu schnell|anzahl der|limit ~ nachrichten|mails|emails|verbindungen|empfanger|empfaenger|versand|pro stunde|uberschritten|ueberschritten", _FAST),
    ("nachricht|mail|email|anhang|nachrichtengrosse|nachrichtengroesse ~ zu gross*|maximale grosse|maximale groesse|uberschreitet|ueberschreitet|grosser als|groesser als", _LARGE),
    ("postfach*|mailbox|konto|speicher*|quota|empfanger*|empfaenger*|kontingent - voll|uberfullt|ueberfuellt|uberschritten|ueberschritten|erschopft|erschoepft|ausgeschopft|ausgelastet|uberlauf*|nicht genugend|nicht genug*|kein platz", _FULL),
    ("ip|server|reputation|absender*|ihre|mailserver|domain ~ gesperrt|blockiert|abgelehnt|abgewiesen|blacklist|sperrliste|schlecht*|nicht erlaubt|nicht berechtigt|verweigert", _BLOCKED),
    ("postfach|konto|benutzer|empfanger*|empfaenger*|adresse|mailbox|account|emailadresse|mailkonto|nutzer|kunde - gesperrt|deaktiviert|inaktiv|stillgelegt|geschlossen|nicht aktiv|gekundigt|gekuendigt|abgeschaltet|nicht mehr aktiv|eingestellt|blockiert", _DISABLED),
    ("domain|domane|domaene|host|empfangerdomain|zieldomain ~ unbekannt|existiert nicht|nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht existent", _DOMAIN),
    ("benutzer|empfanger*|empfaenger*|adresse|postfach|emailadresse|teilnehmer|nutzer|konto|mailadresse|kunde|account|adressat*|anwender|mailbox ~ unbekannt|existiert nicht*|nicht gefunden|ungultig|ungueltig|nicht bekannt|nicht vorhanden|nicht existent|nicht mehr|gibt es nicht|exisitert nicht|nicht gultig|geloscht|geloescht|nicht verfugbar", _UNKNOWN),
    ("unbekannte*|kein|ungultige*|ungueltige*|nicht existierende* + benutzer|empfanger*|empfaenger*|adresse|postfach|nutzer|konto|emailadresse|teilnehmer|account|email", _UNKNOWN),
    ("unerwunscht*|unerwuenscht*|werbung|inhalt|spamverdacht", _CONTENT),
    ("spater erneut|spaeter erneut|spater noch|spaeter noch|voruber*|vorueber*|spater wieder|spaeter wieder|zeitweise|temporar*", _LATER),
)

ITALIAN = _in(
    "Italian", _ITALIAN,
    ("solo|soltanto|solamente|unicamente ~ membri|mittenti|iscritti|autorizzat*|interno|internos|interna|internas|interni|accetta|utenti", _POLICY),
    ("destinatario|utente + ha bloccato|ha rifiutato|ha scelto|rifiuta|blocca|non accetta", _POLICY),
    ("mittente ~ sconosciut*|inesistente|non valido|non esiste|non verificato|non trovato", _BLOCKED),
    ("troppi|troppe|limite di invio|limite orario ~ messaggi|email|connessioni|destinatari|superato|invii|mail", _FAST),
    ("messaggio|email|dimensione|dimensioni|mail ~ troppo grande|dimensione massima|dimensioni massime|supera la dimensione|troppo grandi|superiori|massima", _LARGE),
    ("casella|mailbox|quota|spazio|account|casella postale|destinatario - piena|pieno|superata|superato|esaurit*|insufficiente|oltre quota|raggiunto", _FULL),
    ("mittente|ip|server|reputazione|dominio mittente ~ bloccat*|rifiutat*|non autorizzat*|lista nera|respint*|cattiva", _BLOCKED),
    ("casella|utente|account|indirizzo|destinatario|lutente|lindirizzo|laccount - disabilitat*|sospes*|disattivat*|bloccat*|inattiv*|chius*|non attiv*|scadut*|cessat*", _DISABLED),
    ("dominio ~ inesistente|non esiste|sconosciuto|non trovato|non valido", _DOMAIN),
    ("utente|casella|indirizzo|destinatario|lutente|lindirizzo|account|mailbox|utenza ~ sconosciut*|inesistente|non esiste*|non trovat*|non valid*|non piu valid*|non presente|errato|non e valid*", _UNKNOWN),
    ("nessun|nessuna + utente|casella|account|indirizzo|destinatario", _UNKNOWN),
    ("contenuto|indesiderat*", _CONTENT),
    ("riprovare|temporaneamente|riprova|temporaneo|piu tardi", _LATER),
)

SPANISH = _in(
    "Spanish", _SPANISH,
    ("solo|solamente|unicamente ~ miembros|remitentes|suscriptores|autorizad*|interno|internos|interna|internas|interni|acepta|usuarios", _POLICY),
    ("destinatario|usuario + ha bloqueado|ha rechazado|ha elegido|rechaza|bloquea|no acepta|bloqueo", _POLICY),
    ("remitente ~ desconocid*|no existe|no valido|invalid*|no verificado|inexistente", _BLOCKED),
    ("demasiados|demasiadas|limite de envio ~ mensajes|correos|conexiones|destinatarios|envios|emails|superado", _FAST),
    ("mensaje|correo|tamano|email ~ demasiado grande|tamano maximo|excede el tamano|supera el tamano|tamano permitido|maximo permitido", _LARGE),
    ("buzon|cuota|espacio|casilla|cuenta|destinatario|bandeja|almacenamiento|quota - lleno|llena|excedid*|superad*|agotad*|insuficiente|sin espacio|excede|supero|excedio|sobre cuota", _FULL),
    ("remitente|ip|servidor|reputacion|su dominio ~ bloquead*|rechazad*|no autorizad*|lista negra|denegad*|prohibid*|mala", _BLOCKED),
    ("buzon|cuenta|usuario|direccion|destinatario|casilla - deshabilitad*|suspendid*|desactivad*|bloquead*|inactiv*|cerrad*|cancelad*|dada de baja|dado de baja|no activ*|de baja", _DISABLED),
    ("dominio ~ no existe|desconocido|no encontrado|inexistente|no valido|invalido|no se encuentra", _DOMAIN),
    ("usuario|buzon|direccion|destinatario|cuenta|casilla|correo ~ desconocid*|no existe*|inexistente|no encontrad*|no valid*|invalid*|no es valid*|no se encuentra|no esta registrad*|no se encontro|incorrect*|erronea", _UNKNOWN),
    ("no existe|no existe el|no existe ese|no existe dicha|no existe la|no hay ningun + usuario|buzon|cuenta|direccion|persona|destinatario", _UNKNOWN),
    ("contenido|no deseado", _CONTENT),
    ("intente mas tarde|mas tarde|temporalmente|intentelo|reintente", _LATER),
)

PORTUGUESE = _in(
    "Portuguese", _PORTUGUESE,
    ("somente|apenas|so ~ membros|remetentes|assinantes|autorizad*|interno|internos|interna|internas|interni|aceita|usuarios", _POLICY),
    ("destinatario|usuario + bloqueou|rejeita|recusa|nao aceita|bloqueia|recusou|optou", _POLICY),
    ("remetente ~ desconhecid*|nao existe|invalid*|inexistente|nao verificado", _BLOCKED),
    ("muitas|muitos|excesso de|limite de envio ~ mensagens|emails|conexoes|destinatarios|envios|excedido|mensagem", _FAST),
    ("mensagem|tamanho|email ~ muito grande|tamanho maximo|excede o tamanho|muito extensa|grande demais|maximo permitido", _LARGE),
    ("caixa|caixa postal|quota|cota|espaco|conta|destinatario|armazenamento|mailbox - cheia|cheio|excedid*|esgotad*|insuficiente|lotada|excedeu|ultrapassou|acima da|sem espaco|estourada", _FULL),
    ("remetente|ip|servidor|reputacao|seu dominio ~ bloquead*|rejeitad*|nao autorizad*|lista negra|recusad*|ma|baixa", _BLOCKED),
    ("caixa|caixa postal|conta|usuario|endereco|destinatario|utilizador - desabilitad*|suspens*|desativad*|desactivad*|bloquead*|inativ*|inactiv*|encerrad*|cancelad*|nao ativ*", _DISABLED),
    ("dominio ~ nao existe|desconhecido|nao encontrado|inexistente|invalido", _DOMAIN),
    ("usuario|utilizador|caixa|caixa postal|endereco|destinatario|conta|email ~ desconhecid*|nao existe*|inexistente*|nao encontrad*|invalid*|nao e valid*|nao localizad*|nao foi encontrad*|incorret*|nao cadastrad*", _UNKNOWN),
    ("conteudo|indesejad*", _CONTENT),
    ("tente novamente|tente mais tarde|temporariamente|mais tarde", _LATER),
)

JAPANESE = _in(
    "Japanese", _JAPANESE,
    ("のみ|限り|だけ ~ 受信|送信|投稿|会員|メンバー|許可|受け", _POLICY),
    ("会員|メンバー|登録 ~ のみ|だけ|限|ではありま", _POLICY),
    ("差出人|送信者|送信元|差出人アドレス ~ 存在しま|存在しない|不明|確認できま|認証", _BLOCKED),
    ("送信数|送信制限|通数|短時間|大量|制限 ~ 超え|超過|多す|上限|送信|制限", _FAST),
    ("メッセージ|メール|サイズ|容量 ~ サイズ|大きす|サイズ超過|サイズを超え|最大サイズ", _LARGE),
    ("メールボックス|受信箱|容量|ディスク|受信トレイ|保存領域 ~ いっぱい|一杯|満杯|超え|超過|不足|オーバー|満了|あふれ", _FULL),
    ("受信拒否|受信を拒否|受信者|受取人 ~ 拒否|設定|により", _POLICY),
    ("送信者|送信元|サーバー|サーバ|アドレス ~ ブロック|拒否|ブラックリスト|迷惑", _BLOCKED),
    ("アカウント|メールボックス|ユーザー|ユーザ|メールアドレス|アドレス ~ 無効|停止|凍結|休止|利用停止|ロック|使われていま|使用されていま|解約", _DISABLED),
    ("ドメイン|ホスト ~ 存在しま|存在しない|見つかりま|不明|無効", _DOMAIN),
    ("ユーザー|ユーザ|宛先|メールアドレス|アドレス|メールボックス|受信者|アカウント|あて先|宛て先 ~ 存在しま|存在しない|見つかりま|不明|見つからない|ありま|誤り|正しくありま|間違|登録されていま|該当", _UNKNOWN),
    ("存在しない|該当する|無効な|不明な ~ ユーザー|ユーザ|宛先|メールアドレス|アドレス|メールボックス|受信者|アカウント", _UNKNOWN),
    ("迷惑メール|スパム|ウイルス|ウィルス|コンテンツ|内容", _CONTENT),
    ("一時的|しばらく|後ほど|時間をおいて|混み合", _LATER),
)

RUSSIAN = _in(
    "Russian", _RUSSIAN,
    ("только ~ участник*|отправител*|подписчик*|член*|внутренн*|разреш*|авторизов*|сотрудник*|пользовател*", _POLICY),
    ("получател*|адресат + заблокировал*|отклон*|не принимает|запретил*|отказал*|принимает только", _POLICY),
    ("отправител* ~ не существует|не найден*|неизвест*|не провер*|недействител*|не подтвержд*", _BLOCKED),
    ("слишком много|превышен* лимит|превышен* количество|слишком часто|превышено число ~ писем|сообщен*|соединен*|получател*|отправк*|запросов|отправл*|подключен*", _FAST),
    ("письмо|сообщени*|размер ~ слишком больш*|слишком велик*|превышает|максимальн*", _LARGE),
    ("ящик*|почтовый ящик|квот*|мест*|хранилищ* ~ переполнен*|полон|превышен*|исчерпан*|заполнен*|недостаточно|нет места|закончилось", _FULL),
    ("отправител*|ваш|сервер*|адрес отправителя|репутаци*|айпи|ip ~ заблокирован*|отклонен*|запрещен*|черн* список|черном списке|низк*|плох*", _BLOCKED),
    ("ящик*|почтовый ящик|учетная запись|аккаунт*|пользовател*|адрес*|получател* - заблокирован*|отключен*|неактив*|не активен|не активна|приостановлен*|закрыт*|деактивирован*", _DISABLED),
    ("домен* ~ не существует|не найден*|неизвест*|не обслуживается", _DOMAIN),
    ("пользовател*|ящик*|адрес*|получател*|адресат*|аккаунт*|учетная запись|учетной записи|абонент* ~ не существует|не найден*|неизвест*|неверн*|несуществующ*|отсутству*|не зарегистрирован*|удален*|недействител*", _UNKNOWN),
    ("нет такого|нет такой|не существует|несуществующ*|неизвестный|нет + пользовател*|ящик*|адрес*|получател*|такого|почтового", _UNKNOWN),
    ("спам*|нежелательн*|содержим*|вирус*", _CONTENT),
    ("попробуйте позже|временн*|повторите|позднее", _LATER),
)

POLISH = _in(
    "Polish", _POLISH,
    ("tylko|wylacznie ~ czlonk*|nadawc*|subskrybent*|uprawnion*|wewnetrzn*|autoryzowan*|zaufan*|uzytkownik*", _POLICY),
    ("odbiorca|adresat|uzytkownik + zablokowal*|odrzuca|nie przyjmuje|nie akceptuje|odrzucil*|blokuje", _POLICY),
    ("nadawc* ~ nieznan*|nie istnieje|nieprawidlow*|niezweryfikowan*|nie zostal*|bledn*", _BLOCKED),
    ("zbyt wiele|za duzo|zbyt duzo|przekroczon* limit|zbyt szybko ~ wiadomosci|polaczen|odbiorcow|maili|wysyl*|wyslanych", _FAST),
    ("wiadomosc*|rozmiar|list ~ zbyt duza|zbyt duzy|za duza|za duzy|maksymaln*|przekracza*", _LARGE),
    ("skrzynk*|konto|kont*|limit|miejsc*|pojemnos* - pelna|przepelnion*|przekroczon*|zapelnion*|brak miejsca|wyczerpan*|pelne", _FULL),
    ("nadawc*|ip|serwer*|reputacj* ~ zablokowan*|odrzucon*|czarnej liscie|zabronion*|niska|nie ma uprawnien", _BLOCKED),
    ("skrzynk*|konto|kont*|adres*|uzytkownik*|odbiorc* - zablokowan*|nieaktywn*|wylaczon*|zawieszon*|zamkniet*|dezaktywowan*|wygasl*", _DISABLED),
    ("domen* ~ nie istnieje|nieznan*|nie znalezion*|nieprawidlow*|nie zostal*", _DOMAIN),
    ("uzytkownik*|skrzynk*|adres*|odbiorc*|konto|kont*|adresat* ~ nieznan*|nie istniej*|nie znalezion*|nieprawidlow*|nie odnalezion*|bledn*|nie zostal*|usuniet*|niepoprawn*", _UNKNOWN),
    ("nie ma takiego|brak takiego|nieznany|nie istnieje|nie ma|nieprawidlowy|niepoprawny + uzytkownik*|adres*|kont*|odbiorc*|skrzynk*", _UNKNOWN),
    ("niechcian*|tresc*|wirus*", _CONTENT),
    ("sprobuj ponownie|tymczasow*|pozniej|chwilowo", _LATER),
)

CHINESE = _in(
    "Chinese", _CHINESE,
    ("仅|只|僅 ~ 成员|白名单|允许|接收|接受|内部|成員|白名單|接收", _POLICY),
    ("收件人|收信人|用户|对方|收件者 ~ 拒收|拒绝接收|屏蔽|设置了|拒絕|已拒收|拒绝了", _POLICY),
    ("发件人|发信人|寄件者|寄件人|发信域名|寄件 ~ 不存在|无效|未通过|验证|認證|驗證|不明", _BLOCKED),
    ("过多|太多|频繁|频率|頻率|频次|超过限制|超出限制|数量 ~ 连接|邮件|发送|发信|收件人|限制|郵件|发件|過快|过快|过高|超过", _FAST),
    ("邮件|信件|郵件|附件 ~ 过大|太大|大小超过|大小超出|超过大小|容量过大|大小限制|過大", _LARGE),
    ("邮箱|信箱|郵箱|空间|容量|配额|空間|配額 ~ 已满|已滿|满了|不足|超出|超过|超過|已用完|满|滿", _FULL),
    ("发件人|发信人|寄件者|你的|您的|发信|服务器|域名|地址 ~ 拒绝|黑名单|黑名單|被封|信誉|封禁|被拒|封锁", _BLOCKED),
    ("帐号|账号|帐户|账户|邮箱|信箱|用户|郵箱|帳號|帳戶|收件人|使用者 ~ 停用|禁用|冻结|凍結|锁定|鎖定|注销|已关闭|未激活|关闭|過期|过期|失效|暂停", _DISABLED),
    ("域名|网域|網域 ~ 不存在|无效|找不到|無效|未找到", _DOMAIN),
    ("用户|收件人|邮箱|信箱|帐号|账号|地址|帐户|账户|郵箱|收件者|使用者|帳號|收信人|邮件地址 ~ 不存在|不存|无效|無效|找不到|未找到|不正确|错误|有误|查无|沒有|没有|未注册", _UNKNOWN),
    ("无此|查无此|没有这个|没有此|找不到|不存在的|無此|查無此|無效的|无效的|未知 ~ 用户|收件人|邮箱|信箱|帐号|账号|地址|使用者|帳號|收件者|人", _UNKNOWN),
    ("垃圾|内容|病毒|內容", _CONTENT),
    ("稍后|暂时|稍後|暫時", _LATER),
)

# Before the rows about what has only passed.
SOME_LANGUAGES = _in(
    "many languages", _FRENCH,
    ("temporairement|momentanement|voruebergehend*|vorubergehend*|temporaneamente|temporalmente|temporariamente|временно|tymczasowo|一時的|暂时|暫時", _LATER),
)

OTHER_LANGUAGES = (
    *SOME_LANGUAGES,
    *FRENCH, *GERMAN, *ITALIAN, *SPANISH, *PORTUGUESE,
    *JAPANESE, *RUSSIAN, *POLISH, *CHINESE,
)
