<?php
// Sends mails through Laravel's event of a mail that is about to be sent: cases in, results out.
// Arguments: the files of the recipe.

require '/usr/share/php/Egulias/EmailValidator/autoload.php';
require '/usr/share/php/Illuminate/Config/autoload.php';
require '/usr/share/php/Illuminate/Events/autoload.php';
require '/usr/share/php/Illuminate/Http/autoload.php';
require '/usr/share/php/Illuminate/Mail/autoload.php';
require '/usr/share/php/GuzzleHttp/autoload.php';
require '/usr/share/php/Symfony/Component/Mime/autoload.php';
array_map(fn ($file) => require $file, array_slice($argv, 1));

use App\Listeners\DropRefusedRecipients;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Events\Dispatcher;
use Illuminate\Http\Client\Factory;
use Illuminate\Mail\Events\MessageSending;
use Illuminate\Support\Facades\Facade;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

// Where Laravel writes its log.
$logger = new class extends Psr\Log\AbstractLogger
{
    public array $lines = [];

    public function log($level, $message, array $context = [])
    {
        $this->lines[] = $message;
    }
};
$app = new Container();
Facade::setFacadeApplication($app);
$app->instance('log', $logger);
$app->instance(Factory::class, new Factory());
$events = new Dispatcher($app);
$events->listen(MessageSending::class, DropRefusedRecipients::class);

// As Laravel's mailer asks whether to send.
function result(array $case, Dispatcher $events): array
{
    $email = (new Email())->from('me@example.com')->subject('x')->text('x');
    foreach (['to', 'cc', 'bcc'] as $name) {
        if ($case[$name]) {
            $email->$name(...$case[$name]);
        }
    }
    try {
        if ($events->until(new MessageSending($email)) === false) {
            return ['error' => 'cancelled'];
        }
    } catch (Throwable $error) {
        return ['error' => class_basename($error), 'refused' => $error->refused ?? null];
    }
    $email->ensureValidity();
    $texts = fn (array $list) => array_map(fn (Address $one) => $one->toString(), $list);
    $all = array_merge($email->getTo(), $email->getCc(), $email->getBcc());

    return [
        'to' => $texts($email->getTo()),
        'cc' => $texts($email->getCc()),
        'bcc' => $texts($email->getBcc()),
        'envelope' => array_map(fn (Address $one) => $one->getAddress(), $all),
    ];
}

$results = [];
foreach (json_decode(stream_get_contents(STDIN), true) as $case) {
    $config = ['url' => $case['url'], 'token' => $case['token'], 'timeout' => $case['seconds']];
    $app->instance('config', new Repository([
        'services' => ['sesbounce' => $config + array_filter(['on_error' => $case['on_error']])],
    ]));
    Facade::clearResolvedInstances();
    $logger->lines = [];
    $results[] = result($case, $events) + ['log' => $logger->lines];
}
echo json_encode($results);
