package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.SpareContent;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each read that a question takes fails in turn. Everything stands twice, so one sector that cannot be read changes no answer;
 * a device that is gone is an error of that device, and never an answer.
 */
class FailingReadsTest {
    private static final LogMetadataProvider PROVIDER = new LogMetadataProvider(Specimen.LOG_BLOCKS);
    private static final MetadataTools TOOLS = PROVIDER.tools().orElseThrow();
    /** What a dump shows of the mappings; how single copies stand is the rest of it. */
    private static final Set<String> OF_THE_TABLE = Set.of("members", "log", "entries", "badSlots", "sealedRegions");

    /** Of which spare it is asked. */
    private enum Spare {
        UNCLEAN,
        REPLACED,
        FURTHER,
        FIRST_OF_TWO,
        COPY_OF_TWO
    }

    /** What may be asked of any spare; those that it does not fit are refused, and that is an answer too. */
    private enum Question {
        INSPECT {
            @Override
            Object of(CrashDevice device) throws DeviceException {
                SpareContent content = PROVIDER.inspect(device);
                return content.kind() + " " + content.pair();
            }
        },
        PAIR {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return PROVIDER.pairOnSpare(device);
            }
        },
        MEMBER {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return PROVIDER.member(device);
            }
        },
        FIRST_SPARE {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return PROVIDER.firstSpare(device);
            }
        },
        TABLE {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return PROVIDER.table(device);
            }
        },
        OWNER {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return PROVIDER.owner(device)
                        .map(owner ->
                                owner.host() + " " + owner.session() + " " + owner.stopped() + " " + owner.members());
            }
        },
        QUICK_CHECK {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return inShort(TOOLS.check(device, Level.QUICK));
            }
        },
        CHECK {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                return inShort(TOOLS.check(device, Level.STANDARD));
            }
        },
        DUMP {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                List<String> pieces = new ArrayList<>();
                TOOLS.dump(device, (kind, values) -> {
                    if (OF_THE_TABLE.contains(kind)) {
                        pieces.add(kind + values);
                    }
                });
                return pieces;
            }
        },
        OPEN {
            @Override
            Object of(CrashDevice device) throws Refusal, DeviceException {
                try (Opened opened = Bench.open(PROVIDER, device, true, 5)) {
                    return opened.store().generation()
                            + opened.store().members().toString()
                            + Bench.text(opened.store().table());
                }
            }
        };

        abstract Object of(CrashDevice device) throws Refusal, DeviceException;

        /** What was answered, or why not. */
        Object answer(CrashDevice device) throws DeviceException {
            try {
                return of(device);
            } catch (Refusal e) {
                return e.kind();
            }
        }
    }

    private static final Map<Spare, CrashDevice> SPARES = new EnumMap<>(Spare.class);

    @BeforeAll
    static void makeSpares() throws Exception {
        SPARES.put(Spare.UNCLEAN, Specimen.uncleanlyStopped().spare());
        SPARES.put(Spare.REPLACED, Specimen.withReplacedBlocks().spare());
        SpreadPair pair = SpreadPair.formatted();
        pair.provider.stampMember(pair.further, 11);
        SPARES.put(Spare.FURTHER, pair.further.copy());
        pair.spread();
        for (long unit = 0; unit < 6; unit++) {
            pair.commit(unit);
        }
        pair.close();
        SPARES.put(Spare.FIRST_OF_TWO, pair.first);
        SPARES.put(Spare.COPY_OF_TWO, pair.further);
    }

    /** Whether it is sound or can be repaired is how the copies stand; which mappings there are is the answer. */
    private static String inShort(MetadataReport report) {
        boolean certain = report.verdict() == Verdict.SOUND || report.verdict() == Verdict.REPAIRABLE;
        return (certain ? "certain" : report.verdict()) + " "
                + report.pair().map(Object::toString).orElse("") + " " + report.format() + " " + report.generation()
                + " " + report.mappings() + " " + report.cleanStop();
    }

    @ParameterizedTest
    @EnumSource(Question.class)
    void oneSectorThatCannotBeReadChangesNoAnswer(Question question) throws Exception {
        int tried = 0;
        for (Spare spare : Spare.values()) {
            Object answer = question.answer(SPARES.get(spare).copy());
            boolean reachedTheEnd = false;
            for (int fault = 0; !reachedTheEnd; fault++) {
                CrashDevice device = SPARES.get(spare).copy();
                device.failOperation(fault, Errno.EIO);
                assertEquals(answer, question.answer(device), spare + ", read " + fault + " fails");
                assertEquals(device.operations(), device.operations(Operation.READ), "asking only reads");
                reachedTheEnd = device.operations() <= fault;
                tried++;
            }
        }
        assertTrue(tried > 5 * Identities.COUNT, "only " + tried);
    }

    @ParameterizedTest
    @EnumSource(Question.class)
    void aDeviceThatIsGoneIsNoAnswer(Question question) throws Exception {
        for (Spare spare : Spare.values()) {
            CrashDevice whole = SPARES.get(spare).copy();
            question.answer(whole);
            for (long fault = 0; fault < whole.operations(); fault++) {
                CrashDevice device = SPARES.get(spare).copy();
                device.failFrom(fault, Errno.ENODEV);
                DeviceException error = assertThrows(
                        DeviceException.class, () -> question.answer(device), spare + ", gone at read " + fault);
                assertEquals(Errno.ENODEV, error.errno());
                assertEquals(device.name(), error.device());
            }
        }
    }
}
