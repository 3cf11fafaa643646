<?php
// Receives webhooks of Offhook with nothing but PHP 8: SECRET=… SEEN=… php -S 127.0.0.1:9000 receiver.php
declare(strict_types=1);

const TOLERANCE_SECONDS = 300;
const LARGEST_BODY = 1024 * 1024;
const KEEP_DAYS = 3;

// A warning would be printed, and what is printed is an answer 200.
set_error_handler(fn (int $level, string $why) => throw new ErrorException($why), E_WARNING | E_NOTICE);

/** Never an empty one: anybody could sign with it. */
function signing_key(): string
{
    $secret = (string) getenv('SECRET');
    $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, strlen('whsec_')), true) : false;
    if ($key === false || $key === '') {
        throw new RuntimeException('SECRET must be the signing secret of the webhook, whsec_…');
    }
    return $key;
}

/** Standard Webhooks: HMAC-SHA-256 of id.timestamp.body; during the rotation of a secret there are two. */
function is_signed(string $body, string $key): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (preg_match('/^\d{1,12}$/D', $timestamp) !== 1 || abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    // Over the bytes as they came: parsed and written again they are others.
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $given) {
        if (hash_equals($expected, $given)) {
            return true;
        }
    }
    return false;
}

/** Works once for each id: a request whose answer was lost comes again, with the same one. */
function once(string $id, callable $work): void
{
    // Not in /tmp, where anybody could have made it first.
    $folder = getenv('SEEN') ?: throw new RuntimeException('SEEN must be a folder that only PHP may write.');
    if (!is_dir($folder)) {
        mkdir($folder, 0700, true);
    }
    forget_old($folder);
    // Whoever else has it waits. It says "done" only after the work: what failed, or was killed, is done again.
    $file = fopen("$folder/" . hash('sha256', $id), 'c+');
    if (!flock($file, LOCK_EX)) {
        throw new RuntimeException("$folder cannot be locked.");
    }
    if (fread($file, 4) !== 'done') {
        $work();
        fwrite($file, 'done');
    }
    fclose($file);
}

/** Once a day. */
function forget_old(string $folder): void
{
    $last = "$folder/.forgotten";
    if (is_file($last) && filemtime($last) > time() - 86400) {
        return;
    }
    touch($last);
    foreach (glob("$folder/*") as $file) {
        if (filemtime($file) < time() - KEEP_DAYS * 86400) {
            unlink($file);
        }
    }
}

try {
    $body = file_get_contents('php://input', length: LARGEST_BODY + 1);
    if (strlen($body) > LARGEST_BODY) {
        http_response_code(413);
        return;
    }
    if (!is_signed($body, signing_key())) {
        http_response_code(401);
        return;
    }
    $event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
    // The same id as in the event, and there whatever the payload.
    $id = $_SERVER['HTTP_WEBHOOK_ID'];
    once($id, fn () => file_put_contents('php://stdout', ($event['type'] ?? '') . " $id\n"));
    http_response_code(204);
} catch (JsonException $error) {
    http_response_code(400);
} catch (Throwable $error) {
    // The event comes again.
    error_log($error->getMessage());
    http_response_code(500);
}
