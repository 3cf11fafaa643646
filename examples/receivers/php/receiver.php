<?php
// Receives webhooks of Offhook with nothing but PHP 8: php -S 127.0.0.1:9000 receiver.php
declare(strict_types=1);

const TOLERANCE_SECONDS = 300;

/** Standard Webhooks: HMAC-SHA-256 of id.timestamp.body; during the rotation of a secret there are two. */
function is_signed(string $body, string $secret): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (preg_match('/^\d{1,12}$/', $timestamp) !== 1 || abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    $key = base64_decode(substr($secret, strlen('whsec_')), true);
    // Over the bytes as they came: parsed and written again they are others.
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $given) {
        if (hash_equals($expected, $given)) {
            return true;
        }
    }
    return false;
}

/** True once for each id: a request whose answer was lost comes again, with the same one. */
function is_first(string $id): bool
{
    $folder = getenv('SEEN') ?: sys_get_temp_dir() . '/offhook-seen';
    if (!is_dir($folder)) {
        mkdir($folder, 0700, true);
    }
    // Made by one only, however many ask at the same time.
    $file = @fopen("$folder/" . hash('sha256', $id), 'x');
    return $file !== false && fclose($file);
}

$body = file_get_contents('php://input');
if (!is_signed($body, (string) getenv('SECRET'))) {
    http_response_code(401);
    return;
}
$event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
if (is_first($event['id'])) {
    file_put_contents('php://stdout', "{$event['type']} {$event['id']}\n");
}
http_response_code(204);
