<?php
// One step of Open XDMoD's own set-up, without its menus: what its set-up program calls, called by its classes.
// Usage: php bootstrap.php LINKER CONFIGURATION pipeline NAME | periods | administrator KIND WHERE USER FIRST LAST EMAIL
// XDMoD 10.0 runs on PHP 5.4, too.

list(, $linker, $configuration, $step) = $argv;
$words = array_slice($argv, 4);
require_once $linker;

if (realpath(CONFIG_DIR) !== realpath($configuration)) {
    fwrite(STDERR, "[error] XDMoD reads its configuration in " . CONFIG_DIR . ", not in $configuration\n");
    exit(1);
}

function pipeline($name)
{
    $logger = \CCR\Log::factory('xdmod-cloud-init', array(
        'console' => true,
        'consoleLogLevel' => \CCR\Log::WARNING,
        'db' => false,
        'file' => false,
        'mail' => false,
    ));
    \ETL\Utilities::runEtlPipeline(array($name), $logger);
}

function periods()
{
    // Years come last: that they are complete tells that all are.
    foreach (array('day', 'month', 'quarter', 'year') as $unit) {
        $generator = \TimePeriodGenerator::getGeneratorForUnit($unit);
        $generator->generateMainTable(
            \CCR\DB::factory('datawarehouse'),
            new \DateTime('2000-01-01'),
            new \DateTime('2038-01-18')
        );
    }
}

function administrator($kind, $where, $name, $first, $last, $email)
{
    $password = rtrim((string) ($kind === 'file' ? file_get_contents($where) : getenv($where)), "\r\n");
    if ($password === '') {
        throw new \Exception("the password in $where is empty");
    }
    $roles = array(ROLE_ID_MANAGER, ROLE_ID_USER);
    $user = new \XDUser($name, $password, $email, $first, '', $last, $roles, ROLE_ID_MANAGER, null, -1);
    $user->setUserType(2);
    $user->saveUser();
}

try {
    if (!in_array($step, array('pipeline', 'periods', 'administrator'), true)) {
        throw new \Exception("there is no step '$step'");
    }
    call_user_func_array($step, $words);
} catch (\Exception $error) {
    // XDMoD's own message around an error of the database repeats all values, the hash of the password among them.
    $inner = $error->getPrevious() ? $error->getPrevious() : $error;
    fwrite(STDERR, "[error] $step: " . $inner->getMessage() . "\n");
    exit(1);
}
