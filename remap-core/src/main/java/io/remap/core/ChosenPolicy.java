package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.ErrorClass;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The rules for errors that a service goes by, whose settings can be changed while it runs: each is an attribute. What is
 * changed holds for the next error, and until the service ends; a value that the provider refuses changes nothing.
 *
 * <p>Invariant: {@code current} is what the provider made of {@code chosen}. Thread-safe.
 */
final class ChosenPolicy implements FaultPolicy {
    private final FaultPolicyProvider provider;
    private final Map<String, String> chosen = new ConcurrentHashMap<>();
    private volatile FaultPolicy current;

    /** @param settings as the user chose them at the start */
    ChosenPolicy(FaultPolicyProvider provider, Settings settings) throws Refusal {
        this.provider = provider;
        for (Setting setting : provider.settings()) {
            chosen.put(setting.name(), settings.text(setting));
        }
        current = provider.open(new Settings(chosen));
    }

    /** One for each setting. */
    List<Attribute> attributes() {
        List<Attribute> all = new ArrayList<>();
        for (Setting setting : provider.settings()) {
            all.add(Attribute.settable(
                    "policy." + setting.name(),
                    "text",
                    setting.doc(),
                    () -> chosen.get(setting.name()),
                    text -> choose(setting, text)));
        }
        return all;
    }

    private synchronized void choose(Setting setting, String text) throws Refusal {
        Map<String, String> values = new ConcurrentHashMap<>(chosen);
        values.put(setting.name(), text);
        current = provider.open(new Settings(values));
        chosen.put(setting.name(), text);
    }

    @Override
    public Verdict readFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        return current.readFailed(errorClass, attempts, deviceAlive);
    }

    @Override
    public Verdict writeFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        return current.writeFailed(errorClass, attempts, deviceAlive);
    }

    @Override
    public long retryDelayMillis(int attempts) {
        return current.retryDelayMillis(attempts);
    }

    @Override
    public boolean redirectsWrites() {
        return current.redirectsWrites();
    }

    @Override
    public boolean healsUnreadable() {
        return current.healsUnreadable();
    }

    @Override
    public boolean movesWeak() {
        return current.movesWeak();
    }

    @Override
    public int errorThreshold() {
        return current.errorThreshold();
    }

    @Override
    public long watchDecayMillis() {
        return current.watchDecayMillis();
    }

    @Override
    public int canaryRoundsPerSecond() {
        return current.canaryRoundsPerSecond();
    }

    @Override
    public int spreadRegions() {
        return current.spreadRegions();
    }

    @Override
    public long maxRemappedUnits() {
        return current.maxRemappedUnits();
    }

    @Override
    public int avoidUnits() {
        return current.avoidUnits();
    }

    @Override
    public long avoidSlowMillis() {
        return current.avoidSlowMillis();
    }

    @Override
    public long avoidRetryMillis() {
        return current.avoidRetryMillis();
    }

    @Override
    public int avoidSparePercent() {
        return current.avoidSparePercent();
    }

    @Override
    public long holdOffMillis(int failures) {
        return current.holdOffMillis(failures);
    }
}
