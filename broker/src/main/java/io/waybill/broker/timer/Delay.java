/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

/**
 * What the delay properties of a message ask for: nothing, a due time, or something that must be refused.
 *
 * @param kind which of the three
 * @param dueMillis when the message becomes visible, wall-clock milliseconds; 0 unless {@code DUE}
 * @param level the delay level that decided, 0 if a timer property did
 * @param code the response code of a refusal, else 0
 * @param remark the sentence of a refusal, else null
 */
public record Delay(DelayKind kind, long dueMillis, int level, int code, String remark) {
    public enum DelayKind {
        NONE,
        DUE,
        REFUSED
    }

    static final Delay NONE = new Delay(DelayKind.NONE, 0, 0, 0, null);

    public static Delay dueAt(long dueMillis, int level) {
        return new Delay(DelayKind.DUE, dueMillis, level, 0, null);
    }

    static Delay refused(int code, String remark) {
        return new Delay(DelayKind.REFUSED, 0, 0, code, remark);
    }

    public boolean isDue() {
        return kind == DelayKind.DUE;
    }

    public boolean isRefused() {
        return kind == DelayKind.REFUSED;
    }
}
